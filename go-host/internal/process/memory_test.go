package process

import (
	"testing"
	"testing/fstest"
)

const (
	mebibyte = 1 << 20
	// none is what version 1 says where there is no limit.
	none = "9223372036854771712\n"
	// machine has 16 GiB.
	machine = "MemTotal:       16777216 kB\nMemFree:          123456 kB\n"
)

// The files are as these systems have them, cut to the lines that matter and their neighbours.
func TestTheMemoryLimitIsThatOfTheContainerOrUnit(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		cgroup, mountinfo string
		files             map[string]string
		want              int64 // in MiB; 0 for none
	}{
		"Docker, version 1": {
			cgroup: "12:pids:/docker/4fa3\n11:memory:/docker/4fa3\n1:name=systemd:/docker/4fa3\n0::/system.slice/containerd.service\n",
			mountinfo: "1032 1024 0:31 /docker/4fa3 /sys/fs/cgroup/pids ro,nosuid,nodev,noexec,relatime master:16 - cgroup cgroup rw,pids\n" +
				"1033 1024 0:35 /docker/4fa3 /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime master:20 - cgroup cgroup rw,memory\n",
			files: map[string]string{
				"sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n",
				"sys/fs/cgroup/memory/memory.stat":           "cache 0\nrss 4096\nhierarchical_memory_limit 536870912\nhierarchical_memsw_limit 1073741824\ntotal_cache 0\n",
			},
			want: 512,
		},
		"Docker, version 1, without a limit": {
			cgroup:    "11:memory:/docker/4fa3\n",
			mountinfo: "1033 1024 0:35 /docker/4fa3 /sys/fs/cgroup/memory ro master:20 - cgroup cgroup rw,memory\n",
			files: map[string]string{
				"sys/fs/cgroup/memory/memory.limit_in_bytes": none,
				"sys/fs/cgroup/memory/memory.stat":           "hierarchical_memory_limit " + none,
			},
		},
		"Docker, version 1, below a group with a limit that can't be seen": {
			cgroup:    "11:memory:/team/4fa3\n",
			mountinfo: "1033 1024 0:35 /team/4fa3 /sys/fs/cgroup/memory ro master:20 - cgroup cgroup rw,memory\n",
			files: map[string]string{
				"sys/fs/cgroup/memory/memory.limit_in_bytes": none,
				"sys/fs/cgroup/memory/memory.stat":           "hierarchical_memory_limit 1073741824\n",
			},
			want: 1024,
		},
		"Docker, version 1, moved to another group": {
			cgroup:    "11:memory:/test\n",
			mountinfo: "1033 1024 0:35 /docker/4fa3 /sys/fs/cgroup/memory ro master:20 - cgroup cgroup rw,memory\n",
			files:     map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "419430400\n"},
			want:      400,
		},
		"Docker, version 2, a namespace of its own": {
			cgroup:    "0::/\n",
			mountinfo: "988 979 0:27 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot\n",
			files:     map[string]string{"sys/fs/cgroup/memory.max": "268435456\n", "sys/fs/cgroup/memory.high": "max\n"},
			want:      256,
		},
		"Docker, version 2, without a limit": {
			cgroup:    "0::/\n",
			mountinfo: "988 979 0:27 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			files:     map[string]string{"sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.high": "max\n"},
		},
		"Docker, version 2, the machine's namespace": {
			cgroup:    "0::/system.slice/docker-4fa3.scope\n",
			mountinfo: "988 979 0:27 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			files: map[string]string{
				"sys/fs/cgroup/cgroup.controllers":                        "cpu memory\n",
				"sys/fs/cgroup/system.slice/memory.max":                   "max\n",
				"sys/fs/cgroup/system.slice/docker-4fa3.scope/memory.max": "314572800\n",
			},
			want: 300,
		},
		"Docker, version 2, moved out of its namespace": {
			cgroup:    "0::/../other\n",
			mountinfo: "988 979 0:27 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			files:     map[string]string{"sys/fs/cgroup/memory.max": "268435456\n", "sys/fs/other/memory.max": "1048576\n"},
			want:      256,
		},
		"Docker, version 2, moved next to its namespace, both visible": {
			cgroup:    "0::/../other\n",
			mountinfo: "988 979 0:27 /.. /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			files:     map[string]string{"sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/other/memory.max": "134217728\n"},
			want:      128,
		},
		"Docker, version 2, the machine's groups mounted too": {
			cgroup: "0::/\n",
			mountinfo: "900 879 0:27 /../../.. /host/sys/fs/cgroup ro - cgroup2 cgroup2 rw\n" +
				"988 979 0:27 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			files: map[string]string{"sys/fs/cgroup/memory.max": "268435456\n", "host/sys/fs/cgroup/memory.max": "1048576\n"},
			want:  256,
		},
		"Kubernetes, version 1": {
			cgroup:    "7:memory:/system.slice/containerd.service/kubepods-burstable-pod7e.slice:cri-containerd:91ab\n",
			mountinfo: "2104 2094 0:33 /system.slice/containerd.service/kubepods-burstable-pod7e.slice:cri-containerd:91ab /sys/fs/cgroup/memory ro master:12 - cgroup cgroup rw,memory\n",
			files:     map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n"},
			want:      1024,
		},
		"Kubernetes, version 2, the pod's limit lower than the container's": {
			cgroup:    "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7e.slice/cri-containerd-91ab.scope\n",
			mountinfo: "2104 2094 0:33 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
			files: map[string]string{
				"sys/fs/cgroup/kubepods.slice/memory.max":                                                                                               "8589934592\n",
				"sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/memory.max":                                                                      "max\n",
				"sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7e.slice/memory.max":                                       "786432000\n",
				"sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7e.slice/cri-containerd-91ab.scope/memory.max":             "1073741824\n",
				"sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7e.slice/cri-containerd-91ab.scope/memory.swap.max":        "0\n",
				"sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7e.slice/cri-containerd-91ab.scope/cgroup.subtree_control": "\n",
			},
			want: 750,
		},
		"a systemd service, limited by its slice and throttled before": {
			cgroup:    "0::/app.slice/app-web.service\n",
			mountinfo: "31 24 0:27 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw\n",
			files: map[string]string{
				"sys/fs/cgroup/app.slice/memory.max":                  "2147483648\n",
				"sys/fs/cgroup/app.slice/memory.high":                 "max\n",
				"sys/fs/cgroup/app.slice/app-web.service/memory.max":  "max\n",
				"sys/fs/cgroup/app.slice/app-web.service/memory.high": "1572864000\n",
			},
			want: 1500,
		},
		"a systemd unit, both versions, memory in the first": {
			cgroup: "9:memory:/system.slice/web.service\n1:name=systemd:/system.slice/web.service\n0::/system.slice/web.service\n",
			mountinfo: "32 31 0:29 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw\n" +
				"35 31 0:32 / /sys/fs/cgroup/memory rw shared:17 - cgroup cgroup rw,memory\n",
			files: map[string]string{
				"sys/fs/cgroup/unified/system.slice/web.service/cgroup.procs":               "1\n",
				"sys/fs/cgroup/memory/memory.limit_in_bytes":                                none,
				"sys/fs/cgroup/memory/system.slice/memory.limit_in_bytes":                   none,
				"sys/fs/cgroup/memory/system.slice/web.service/memory.limit_in_bytes":       "104857600\n",
				"sys/fs/cgroup/memory/system.slice/web.service/memory.soft_limit_in_bytes":  "1048576\n",
				"sys/fs/cgroup/memory/system.slice/web.service/memory.memsw.limit_in_bytes": "1048576\n",
			},
			want: 100,
		},
		"a mount point with a blank, controllers together": {
			cgroup:    "3:cpu,memory:/job 1\n",
			mountinfo: `35 31 0:32 / /mnt/my\040groups/cpu,memory rw shared:17 - cgroup none rw,cpu,memory` + "\n",
			files:     map[string]string{"mnt/my groups/cpu,memory/job 1/memory.limit_in_bytes": "104857600\n"},
			want:      100,
		},
		"a limit beyond the machine's memory": {
			cgroup:    "0::/\n",
			mountinfo: "988 979 0:27 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			files:     map[string]string{"sys/fs/cgroup/memory.max": "68719476736\n"},
			want:      16 << 10,
		},
		"a group's name with too many slashes": {
			cgroup:    "0:://job//\n",
			mountinfo: "988 979 0:27 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			files:     map[string]string{"sys/fs/cgroup/job/memory.max": "134217728\n"},
			want:      128,
		},
		"no groups mounted":        {cgroup: "0::/\n", mountinfo: "22 1 0:21 / /proc rw - proc proc rw\n"},
		"no groups in the kernel":  {},
		"files that make no sense": {cgroup: "\n::\n0::\n", mountinfo: "1 - 2\n\n - cgroup2\n", files: map[string]string{"memory.max": "1 2\n"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := fstest.MapFS{"proc/meminfo": {Data: []byte(machine)}}
			for path, content := range c.files {
				root[path] = &fstest.MapFile{Data: []byte(content)}
			}
			if c.cgroup != "" {
				root["proc/self/cgroup"] = &fstest.MapFile{Data: []byte(c.cgroup)}
				root["proc/self/mountinfo"] = &fstest.MapFile{Data: []byte(c.mountinfo)}
			}
			got, ok := memoryLimit(root)
			if got != c.want*mebibyte || ok != (c.want > 0) {
				t.Errorf("got %d, %v, expected %d MiB", got, ok, c.want)
			}
		})
	}
}

func TestAMachineThatDoesNotSayItsMemoryHasALimitNevertheless(t *testing.T) {
	t.Parallel()
	root := fstest.MapFS{
		"proc/self/cgroup":         {Data: []byte("0::/\n")},
		"proc/self/mountinfo":      {Data: []byte("988 979 0:27 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n")},
		"sys/fs/cgroup/memory.max": {Data: []byte("268435456")},
	}
	if got, ok := memoryLimit(root); got != 256*mebibyte || !ok {
		t.Errorf("got %d, %v", got, ok)
	}
}
