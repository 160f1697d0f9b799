package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/urfave/cli/v2"

	torch "github.com/wangkuiyi/gotorch"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:   "doctor",
		Usage:  "tell what was found here: libtorch, CUDA, cores, and what is wrong with it",
		Flags:  []cli.Flag{jsonFlag()},
		Action: doctor,
	}
}

// A diagnosis is what doctor found.
type diagnosis struct {
	Commit   string `json:"commit"`
	Go       string `json:"go"`
	Cores    int    `json:"cores"`
	Libtorch string `json:"libtorch"` // "" when it could not be loaded
	CUDA     bool   `json:"cuda"`
	CuDNN    bool   `json:"cudnn"`
	Threads  int    `json:"threads"` // that libtorch computes with
	Cache    string `json:"cache"`   // folder for decoded and downloaded things
	Trouble  string `json:"trouble,omitempty"`
}

func doctor(c *cli.Context) error {
	d := diagnosis{Commit: commit, Go: runtime.Version(), Cores: runtime.NumCPU()}
	d.Cache, _ = os.UserCacheDir()
	err := torch.LoadLibrary()
	if err == nil {
		d.Libtorch, d.CUDA, d.CuDNN, d.Threads = torch.Library().Torch, torch.IsCUDAAvailable(), torch.IsCUDNNAvailable(), torch.NumThreads()
	} else {
		d.Trouble = oneLine(err)
	}
	if c.Bool("json") {
		if printed := printJSON(c.App.Writer, d); printed != nil {
			return printed
		}
		return err
	}
	w := c.App.Writer
	fmt.Fprintf(w, "orrery    %s (%s)\ncores     %d\ncache     %s\n", d.Commit, d.Go, d.Cores, d.Cache)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "libtorch  %s, %d threads\n", d.Libtorch, d.Threads)
	if d.CUDA {
		fmt.Fprintf(w, "cuda      available, cuDNN %t\n", d.CuDNN)
	} else {
		fmt.Fprintln(w, "cuda      no device; training runs on the CPU")
	}
	return nil
}
