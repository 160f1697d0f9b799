package trainer

import (
	"strings"
	"testing"
)

func TestFindPlace(t *testing.T) {
	for name, test := range map[string]struct {
		environment string
		want        Place
	}{
		"torchrun": {
			"RANK=3 WORLD_SIZE=4 LOCAL_RANK=1 LOCAL_WORLD_SIZE=2 MASTER_ADDR=node1 MASTER_PORT=1234 TORCHELASTIC_USE_AGENT_STORE=True TORCHELASTIC_RESTART_COUNT=2",
			Place{3, 4, 1, 2, "node1", 1234, true, "2", "RANK and WORLD_SIZE"},
		},
		"Kubeflow": {
			"RANK=1 WORLD_SIZE=2 MASTER_ADDR=job-master-0 MASTER_PORT=23456",
			Place{1, 2, 0, 1, "job-master-0", 23456, false, "", "RANK and WORLD_SIZE"},
		},
		"srun": {
			"SLURM_STEP_ID=0 SLURM_PROCID=5 SLURM_NTASKS=6 SLURM_LOCALID=1 SLURM_STEP_TASKS_PER_NODE=2(x3) SLURM_STEP_NODELIST=gpu[03-04,9] SLURM_JOB_ID=1234567",
			Place{5, 6, 1, 2, "gpu03", 24567, false, "", "srun"},
		},
		"srun with an address": {
			"SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_NTASKS=2 SLURM_STEP_NODELIST=a1,b2 MASTER_ADDR=10.0.0.1 MASTER_PORT=5",
			Place{0, 2, 0, 1, "10.0.0.1", 5, false, "", "srun"},
		},
		"dstack": {
			"DSTACK_NODE_RANK=1 DSTACK_NODES_NUM=2 DSTACK_MASTER_NODE_IP=10.0.0.5",
			Place{1, 2, 0, 1, "10.0.0.5", 29500, false, "", "dstack"},
		},
		"SkyPilot": {
			"SKYPILOT_NODE_RANK=1 SKYPILOT_NUM_NODES=2 SKYPILOT_NODE_IPS=10.0.0.5\n10.0.0.6",
			Place{1, 2, 0, 1, "10.0.0.5", 29500, false, "", "SkyPilot"},
		},
		"mpirun on one machine": {
			"OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=1 OMPI_COMM_WORLD_LOCAL_SIZE=2",
			Place{1, 2, 1, 2, "127.0.0.1", 29500, false, "", "Open MPI"},
		},
	} {
		got, err := FindPlace(variables(test.environment))
		if err != nil || got == nil || *got != test.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, test.want)
		}
	}
	for _, alone := range []string{"", "RANK=0 WORLD_SIZE=1 MASTER_ADDR=x MASTER_PORT=1", "SLURM_PROCID=0 SLURM_NTASKS=4", "DSTACK_NODE_RANK=0 DSTACK_NODES_NUM=1"} {
		if got, err := FindPlace(variables(alone)); err != nil || got != nil {
			t.Errorf("%q: %+v, %v; want this process alone", alone, got, err)
		}
	}
	for environment, words := range map[string]string{
		"RANK=2 WORLD_SIZE=2 MASTER_ADDR=x":                   "rank 2 of 2",
		"RANK=one WORLD_SIZE=2 MASTER_ADDR=x":                 `RANK is "one"`,
		"RANK=1 MASTER_ADDR=x":                                "only one is set",
		"RANK=1 WORLD_SIZE=2":                                 "MASTER_ADDR",
		"RANK=1 WORLD_SIZE=2 MASTER_ADDR=x MASTER_PORT=70000": "MASTER_PORT is 70000",
		"OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2":       "MASTER_ADDR",
	} {
		if got, err := FindPlace(variables(environment)); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %+v, %v; want an error with %q", environment, got, err, words)
		}
	}
}

// variables is a getenv over "NAME=value NAME=value".
func variables(text string) func(string) string {
	values := map[string]string{}
	for _, pair := range strings.Split(text, " ") {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return func(name string) string { return values[name] }
}
