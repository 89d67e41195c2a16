package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"text/tabwriter"
	"time"

	"rootbridge"
)

// workersCommand shows the workers of one that runs.
type workersCommand struct {
	adminFlags

	JSON bool `name:"json" help:"Everything, as JSON."`
}

// Help is what --help shows below the flags.
func (*workersCommand) Help() string {
	return "Example: rootbridged workers --listen unix:/run/app.sock"
}

// Run prints a table.
func (c *workersCommand) Run() error {
	reply, err := c.ask(http.MethodGet, "/workers")
	if err != nil {
		return err
	}
	var stats rootbridge.Stats
	if err := json.Unmarshal(reply.body, &stats); err != nil || stats.Generation == 0 {
		return reply.notOurs()
	}
	if c.JSON {
		_, err := os.Stdout.Write(reply.body)
		return err
	}
	return printStats(&stats)
}

func printStats(stats *rootbridge.Stats) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PID\tSTATE\tGENERATION\tAGE\tCALLS\tIN FLIGHT\tBUSY\tMEMORY")
	for i := range stats.Workers {
		w := &stats.Workers[i]
		fmt.Fprintf(table, "%d\t%s\t%d\t%s\t%d\t%d\t%.0f%%\t%s\n", w.PID, w.State, w.Generation,
			w.Age.Round(time.Second), w.Calls, w.InFlight, 100*w.Utilization, roughly(w.RSS))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Printf("%d ready, %d starting, %d calls waiting, %d succeeded, %d failed\n",
		stats.Ready, stats.Starting, stats.Queued, stats.Succeeded, failures(stats))
	return err
}

func failures(stats *rootbridge.Stats) (all uint64) {
	for _, n := range stats.Failed {
		all += n
	}
	return all
}
