package trainer

import (
	"fmt"
	"strconv"
	"strings"
)

// A Place is this process's part in a training by several, as whoever started
// it says in the environment.
type Place struct {
	Rank, Size           int    // among all processes
	LocalRank, LocalSize int    // among those of this machine
	Host                 string // where the processes meet: an address of the machine of rank 0
	Port                 int
	// AgentStore: torchrun serves the store at Host:Port, rank 0 does not.
	AgentStore bool
	Attempt    string // tells the restarts of a training apart, which may meet at one store
	Launcher   string // in words
}

// defaultPort is PyTorch's.
const defaultPort = 29500

// FindPlace reads the variables of torchrun and Kubeflow (RANK, WORLD_SIZE,
// MASTER_ADDR, MASTER_PORT, LOCAL_RANK, LOCAL_WORLD_SIZE), Slurm's srun, dstack,
// SkyPilot and Open MPI, in this order. One process alone gives nil.
func FindPlace(getenv func(string) string) (*Place, error) {
	e := environment{getenv: getenv}
	place := &Place{Port: defaultPort, LocalSize: 1}
	switch {
	case e.set("RANK", "WORLD_SIZE"):
		place.Launcher = "RANK and WORLD_SIZE"
		place.Rank, place.Size = e.number("RANK"), e.number("WORLD_SIZE")
		place.LocalRank, place.LocalSize = e.numberOr("LOCAL_RANK", 0), e.numberOr("LOCAL_WORLD_SIZE", 1)
		place.Attempt = getenv("TORCHELASTIC_RESTART_COUNT")
		place.AgentStore = strings.EqualFold(getenv("TORCHELASTIC_USE_AGENT_STORE"), "true")
	case getenv("RANK") != "" && getenv("MASTER_ADDR") != "", getenv("WORLD_SIZE") != "" && getenv("MASTER_ADDR") != "":
		return nil, fmt.Errorf("of RANK and WORLD_SIZE only one is set; set both, or unset them and MASTER_ADDR to train alone")
	case e.set("SLURM_STEP_ID", "SLURM_PROCID", "SLURM_NTASKS"): // a batch script outside srun has no step of its own
		place.Launcher = "srun"
		place.Rank, place.Size = e.number("SLURM_PROCID"), e.number("SLURM_NTASKS")
		place.LocalRank = e.numberOr("SLURM_LOCALID", 0)
		place.LocalSize = tasksPerNode(getenv("SLURM_STEP_TASKS_PER_NODE"), getenv("SLURM_NTASKS_PER_NODE"))
		place.Host = firstNode(getenv("SLURM_STEP_NODELIST"), getenv("SLURM_JOB_NODELIST"), getenv("SLURM_NODELIST"))
		place.Port = 20000 + e.numberOr("SLURM_JOB_ID", 0)%10000
	case e.set("DSTACK_NODE_RANK", "DSTACK_NODES_NUM"):
		place.Launcher = "dstack"
		place.Rank, place.Size = e.number("DSTACK_NODE_RANK"), e.number("DSTACK_NODES_NUM")
		place.Host = getenv("DSTACK_MASTER_NODE_IP")
	case e.set("SKYPILOT_NODE_RANK", "SKYPILOT_NUM_NODES"):
		place.Launcher = "SkyPilot"
		place.Rank, place.Size = e.number("SKYPILOT_NODE_RANK"), e.number("SKYPILOT_NUM_NODES")
		place.Host, _, _ = strings.Cut(getenv("SKYPILOT_NODE_IPS"), "\n")
	case e.set("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"):
		place.Launcher = "Open MPI"
		place.Rank, place.Size = e.number("OMPI_COMM_WORLD_RANK"), e.number("OMPI_COMM_WORLD_SIZE")
		place.LocalRank, place.LocalSize = e.numberOr("OMPI_COMM_WORLD_LOCAL_RANK", 0), e.numberOr("OMPI_COMM_WORLD_LOCAL_SIZE", 1)
		if place.LocalSize == place.Size {
			place.Host = "127.0.0.1"
		}
	default:
		return nil, nil
	}
	if host := getenv("MASTER_ADDR"); host != "" {
		place.Host = host
	}
	place.Port = e.numberOr("MASTER_PORT", place.Port)
	if e.err != nil || place.Size == 1 {
		return nil, e.err
	}
	return place, place.check()
}

func (p *Place) check() error {
	switch {
	case p.Size < 1 || p.Rank < 0 || p.Rank >= p.Size:
		return fmt.Errorf("%s: rank %d of %d processes; ranks go from 0 to one less than their number", p.Launcher, p.Rank, p.Size)
	case p.LocalSize < 1 || p.LocalRank < 0 || p.LocalRank >= p.LocalSize && p.LocalSize > 1:
		return fmt.Errorf("%s: local rank %d of %d processes on this machine", p.Launcher, p.LocalRank, p.LocalSize)
	case p.Host == "":
		return fmt.Errorf("%s does not say where the processes meet; set MASTER_ADDR to an address of the machine of rank 0, and MASTER_PORT", p.Launcher)
	case p.Port < 1 || p.Port > 65535:
		return fmt.Errorf("MASTER_PORT is %d; it must be between 1 and 65535", p.Port)
	}
	return nil
}

// An environment reads numbers and keeps the first error.
type environment struct {
	getenv func(string) string
	err    error
}

func (e *environment) set(names ...string) bool {
	for _, name := range names {
		if e.getenv(name) == "" {
			return false
		}
	}
	return true
}

func (e *environment) number(name string) int {
	n, err := strconv.Atoi(strings.TrimSpace(e.getenv(name)))
	if err != nil && e.err == nil {
		e.err = fmt.Errorf("%s is %q; it must be a whole number", name, e.getenv(name))
	}
	return n
}

func (e *environment) numberOr(name string, otherwise int) int {
	if e.getenv(name) == "" {
		return otherwise
	}
	return e.number(name)
}

// tasksPerNode reads the largest count of Slurm's "2(x3),1", or 1.
func tasksPerNode(texts ...string) int {
	most := 1
	for _, text := range texts {
		for _, part := range strings.Split(text, ",") {
			count, _, _ := strings.Cut(part, "(")
			if n, err := strconv.Atoi(count); err == nil {
				most = max(most, n)
			}
		}
		if text != "" {
			break
		}
	}
	return most
}

// firstNode is the first host of the first of Slurm's lists that is not empty,
// such as "gpu[03-07,9],cpu1".
func firstNode(lists ...string) string {
	for _, list := range lists {
		if list == "" {
			continue
		}
		name, rest, bracket := strings.Cut(list, "[")
		if plain, _, found := strings.Cut(name, ","); found || !bracket {
			return plain
		}
		inside, after, _ := strings.Cut(rest, "]")
		first := inside[:strings.IndexAny(inside+",", ",-")]
		suffix, _, _ := strings.Cut(after, ",")
		return name + first + suffix
	}
	return ""
}
