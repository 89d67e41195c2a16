//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const examples = "../../../examples/sidecar/"

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(examples + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheExamplesSetOnlyWhatThereIs(t *testing.T) {
	t.Parallel()
	serve, check := flagsOf(t, "serve"), flagsOf(t, "check")
	foreign := []string{"--security-opt", "--cap-drop", "--read-only", "--tmpfs", "--omit", "--from", "--system", "--now", "--unix-socket", "--interval", "--start-period", "--json"}
	for _, name := range []string{"Dockerfile", "kubernetes.yaml", "rootbridged.service", "README.md"} {
		text := read(t, name)
		for _, flag := range flagInHelp.FindAllString(text, -1) {
			if !serve[flag] && !check[flag] && !slices.Contains(foreign, flag) {
				t.Errorf("%s: there is no %s", name, flag)
			}
		}
		for _, variable := range regexp.MustCompile(`ROOTBRIDGED_\w+`).FindAllString(text, -1) {
			if flag := "--" + strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(variable, "ROOTBRIDGED_")), "_", "-"); !serve[flag] {
				t.Errorf("%s: there is no %s", name, variable)
			}
		}
	}
}

func TestTheExampleOfAConfigFileServesTheExamplesCode(t *testing.T) {
	t.Parallel()
	s := prepare(t, "")
	config := s.write("c.yaml", strings.ReplaceAll(read(t, "rootbridged.yaml"), "/srv/legacy", absolute(t, examples+"legacy")))
	s.startCommand(command("serve", "--config", config, "--listen", s.listen))
	s.await(`"msg":"listening"`)
	s.call("validate", `{"email":"a@b.c"}`, `{"valid":true}`)
}

func TestTheUnitsReloadAsksWhereTheConfigFileHasItsAdminListen(t *testing.T) {
	t.Parallel()
	s := prepare(t, api)
	config := blocks(read(t, "README.md"), "yaml")[0]
	config = strings.NewReplacer("/srv/legacy", s.dir, "/run/rootbridged-admin/admin.sock", s.path("a.sock")).Replace(config)
	file := s.write("c.yaml", config)
	s.startCommand(command("serve", "--config", file, "--listen", s.listen))
	s.await("msg=listening")
	line := regexp.MustCompile(`(?m)^ExecReload=\S+ (.*)$`).FindStringSubmatch(read(t, "rootbridged.service"))[1]
	line = strings.NewReplacer("/run/rootbridged/app.sock", s.path("s.sock"), "/etc/rootbridged.yaml", file).Replace(line)
	if code, stdout, stderr := execute(t, command(strings.Fields(line)...)); code != 0 || stdout != "generation 2 serves\n" {
		t.Errorf("got %d %s%s", code, stdout, stderr)
	}
}

// pod is what is looked at of the manifest.
type pod struct {
	SecurityContext struct {
		RunAsNonRoot bool `yaml:"runAsNonRoot"`
		RunAsUser    int  `yaml:"runAsUser"`
	} `yaml:"securityContext"`
	InitContainers []container `yaml:"initContainers"`
	Containers     []container
	Grace          int `yaml:"terminationGracePeriodSeconds"`
	Volumes        []struct{ Name string }
}

type container struct {
	RestartPolicy   string `yaml:"restartPolicy"`
	Args            []string
	SecurityContext struct {
		ReadOnly   bool `yaml:"readOnlyRootFilesystem"`
		Escalation bool `yaml:"allowPrivilegeEscalation"`
	} `yaml:"securityContext"`
	Startup   probe                              `yaml:"startupProbe"`
	Readiness probe                              `yaml:"readinessProbe"`
	Liveness  probe                              `yaml:"livenessProbe"`
	Mounts    []struct{ Name, MountPath string } `yaml:"volumeMounts"`
}

type probe struct{ Exec struct{ Command []string } }

func TestTheManifestHasANativeSidecarWhoseProbesWork(t *testing.T) {
	t.Parallel()
	var deployment struct {
		Spec struct{ Template struct{ Spec pod } }
	}
	if err := yaml.Unmarshal([]byte(read(t, "kubernetes.yaml")), &deployment); err != nil {
		t.Fatal(err)
	}
	pod := deployment.Spec.Template.Spec
	if len(pod.InitContainers) != 1 || len(pod.Containers) != 1 || len(pod.Volumes) != 1 {
		t.Fatalf("got %+v", pod)
	}
	legacyOne := pod.InitContainers[0]
	if legacyOne.RestartPolicy != "Always" || !pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.RunAsUser == 0 || pod.Grace < 15 {
		t.Errorf("got %+v", pod)
	}
	for _, each := range []container{legacyOne, pod.Containers[0]} {
		if !each.SecurityContext.ReadOnly || each.SecurityContext.Escalation || each.Mounts[0].Name != pod.Volumes[0].Name {
			t.Errorf("got %+v", each)
		}
	}
	s := prepare(t, legacy)
	c := command(append(legacyOne.Args, "--entry", s.entry)...)
	c.Env = append(c.Env, "ROOTBRIDGED_LISTEN="+s.listen)
	s.startCommand(c)
	s.await("msg=listening")
	for _, probe := range []probe{legacyOne.Startup, legacyOne.Readiness, legacyOne.Liveness} {
		if code, _, stderr := s.run(probe.Exec.Command[1:]...); code != 0 || filepath.Base(probe.Exec.Command[0]) != "rootbridged" {
			t.Errorf("%v: %d %s", probe.Exec.Command, code, stderr)
		}
	}
}

func TestTheDockerfileIsForAnImageWithoutRootAndShell(t *testing.T) {
	t.Parallel()
	_, last, _ := strings.Cut(read(t, "Dockerfile"), "\nFROM gcr.io/distroless/")
	if !regexp.MustCompile(`(?m)^nodejs\d+-debian\d+:nonroot$`).MatchString(last) {
		t.Error("expected the last stage to be distroless with Node, as another user than root")
	}
	for _, want := range []string{`(?m)^USER [1-9]\d*:[1-9]\d*$`, `(?m)^ENTRYPOINT \["/`, `(?m)^CMD \["serve"\]$`, `CMD \["/usr/local/bin/rootbridged", "check"`} {
		if !regexp.MustCompile(want).MatchString(last) {
			t.Errorf("expected %s", want)
		}
	}
	if strings.Contains(last, "RUN ") {
		t.Error("there is no shell to run anything")
	}
	for _, source := range regexp.MustCompile(`(?m)^COPY (\w\S*) `).FindAllStringSubmatch(read(t, "Dockerfile"), -1) {
		if !exists(examples + "../../" + source[1]) {
			t.Errorf("there is no %s", source[1])
		}
	}
}

func TestSystemdFindsNothingWrongInTheUnits(t *testing.T) {
	t.Parallel()
	if !isInstalled("systemd-analyze") {
		t.Skip("systemd-analyze is not installed")
	}
	dir := t.TempDir()
	for _, name := range []string{"rootbridged.service", "rootbridged.socket"} {
		text := strings.ReplaceAll(read(t, name), "/usr/local/bin/rootbridged", absolute(t, os.Args[0]))
		text = strings.ReplaceAll(text, "=rootbridged\n", "=daemon\n") // a user that there is
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	output, err := exec.Command("systemd-analyze", "verify", "--man=no", filepath.Join(dir, "rootbridged.service"), filepath.Join(dir, "rootbridged.socket")).CombinedOutput()
	if err != nil || strings.Contains(string(output), "rootbridged") {
		t.Errorf("%v: %s", err, output)
	}
}
