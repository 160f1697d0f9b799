package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/trainer"
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
	// NoCUDA says why there is no GPU to use, NoKernels why our kernels for one are not in use; "" otherwise.
	NoCUDA    string   `json:"no_cuda,omitempty"`
	NoKernels string   `json:"no_cuda_kernels,omitempty"`
	GPUs      []string `json:"gpus,omitempty"`
	Threads   int      `json:"threads"` // that libtorch computes with
	Kernels   string   `json:"kernels"` // instruction set of our own kernels
	// Choices are the layers that --kernels auto has timed here: shape, ms with our own, ms with libtorch, the faster.
	Choices []string `json:"kernel_choices"`
	Cache   string   `json:"cache"` // folder for decoded and downloaded things
	Trouble string   `json:"trouble,omitempty"`
}

func doctor(c *cli.Context) error {
	d := diagnosis{Commit: commit, Go: runtime.Version(), Cores: runtime.NumCPU()}
	d.Cache, _ = os.UserCacheDir()
	err := torch.LoadLibrary()
	if err == nil {
		library := torch.Library()
		d.Libtorch, d.CUDA, d.CuDNN, d.Threads = library.Torch, torch.IsCUDAAvailable(), torch.IsCUDNNAvailable(), torch.NumThreads()
		d.NoCUDA, d.NoKernels = oneLine(errors.New(library.CUDA)), oneLine(errors.New(library.CUDAKernels))
		if library.GPUs != "" {
			d.GPUs = strings.Split(library.GPUs, "\n")
		}
		if d.Kernels, d.Choices, err = kernelChoices(); err != nil {
			return err
		}
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
	fmt.Fprintf(w, "kernels   %s; layers timed by --kernels auto: %d\n", d.Kernels, len(d.Choices))
	for _, line := range d.Choices {
		fmt.Fprintf(w, "          %s\n", strings.ReplaceAll(line, "\t", "  "))
	}
	if !d.CUDA {
		fmt.Fprintf(w, "cuda      no GPU to use, training runs on the CPU; %s\n", d.NoCUDA)
		return nil
	}
	fmt.Fprintf(w, "cuda      available, cuDNN %t\n", d.CuDNN)
	for _, line := range d.GPUs {
		fmt.Fprintf(w, "          %s\n", line)
	}
	if d.NoKernels != "" {
		fmt.Fprintf(w, "          own kernels are not in use; %s\n", d.NoKernels)
	}
	return nil
}

// kernelChoices are the instruction set of own kernels and what --kernels auto remembers, a line for each layer.
func kernelChoices() (instructions string, choices []string, err error) {
	if err := torch.SetKernels("auto", trainer.KernelChoiceFile()); err != nil {
		return "", nil, err
	}
	lines := strings.Split(torch.KernelChoices(), "\n")
	return torch.KernelInstructions(), slices.DeleteFunc(lines, func(line string) bool { return line == "" }), nil
}
