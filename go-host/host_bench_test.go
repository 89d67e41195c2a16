package rootbridge_test

import (
	"os"
	"strings"
	"testing"

	"rootbridge"
)

func BenchmarkSmoke(b *testing.B) {
	host, err := rootbridge.Start(b.Context(), rootbridge.Options{Workers: 1, Concurrency: 64, Command: strings.Fields(os.Getenv("RB_COMMAND"))})
	if err != nil {
		b.Fatal(err)
	}
	defer host.Close()
	type small struct{ A, B string }
	in := small{strings.Repeat("x", 40), strings.Repeat("y", 40)}
	b.Run("1", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var out small
			if err := host.Call(b.Context(), "echo", in, &out); err != nil || out != in {
				b.Fatal(err, out)
			}
		}
	})
	for _, n := range []int{8, 32} {
		b.Run("par", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(n)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					var out small
					if err := host.Call(b.Context(), "echo", in, &out); err != nil || out != in {
						b.Error(err, out)
					}
				}
			})
		})
	}
}
