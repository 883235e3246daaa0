// Package gateway has the files of the IM gateway, a small service in Node that
// holds IM logins with the vendor's own SDK, and installs them. It is started
// by nimhttp.StartGateway. What it serves is described by openapi.yaml.
package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// The files are named one by one in kind: node_modules is never among them.
//
//go:embed *.mjs package.json package-lock.json openapi.yaml
var files embed.FS

// Version is that of the contract, openapi.yaml, which GET /healthz tells.
const Version = "0.1.0"

const (
	oldestNode     = 20
	sdkEntry       = "node_modules/nim-web-sdk-ng/dist/nodejs/nim.js"
	installTimeout = 5 * time.Minute
)

// Dir returns the folder that Install makes: in the user's cache directory, by
// the hash of the files, so that each version of them has its own.
func Dir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("the gateway's folder: %w", err)
	}
	hash, err := filesHash()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "imreuse", "gateway-"+hash), nil
}

func filesHash() (string, error) {
	hash := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := files.ReadFile(name)
		fmt.Fprintf(hash, "%s %d\n%s", name, len(data), data)
		return err
	})
	return hex.EncodeToString(hash.Sum(nil))[:16], err
}

// Installed reports whether dir has the gateway and its SDK.
func Installed(dir string) bool {
	for _, name := range []string{"main.mjs", sdkEntry} {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return false
		}
	}
	return true
}

// Install unpacks the files into Dir and lets npm fetch the SDK there, telling
// progress what it does. It returns the folder. Where it is there already it
// does nothing. The work is done in a folder of its own, which is renamed when
// it is complete: two installs at once are safe, and one that is killed leaves
// nothing that could be taken for an install. It fails with engine.ErrState
// without Node 20 or npm, and with engine.ErrUnavailable without the registry.
func Install(ctx context.Context, progress io.Writer) (string, error) {
	dir, err := Dir()
	if err != nil {
		return "", err
	}
	if Installed(dir) {
		fmt.Fprintf(progress, "The gateway is installed already: %s\n", dir)
		return dir, nil
	}
	if err := CheckNode(ctx, "node"); err != nil {
		return "", err
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return "", fmt.Errorf("%w: npm, which comes with Node, is not there", engine.ErrState)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return "", fmt.Errorf("the gateway's folder: %w", err)
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "install-")
	if err != nil {
		return "", fmt.Errorf("the gateway's folder: %w", err)
	}
	defer os.RemoveAll(work)
	if err := os.CopyFS(work, files); err != nil {
		return "", fmt.Errorf("unpacking the gateway: %w", err)
	}
	fmt.Fprintf(progress, "Fetching the vendor's IM SDK with npm …\n")
	if err := npmInstall(ctx, work); err != nil {
		return "", err
	}
	if !Installed(work) {
		return "", fmt.Errorf("%w: npm ci left the SDK incomplete; try again", engine.ErrUnavailable)
	}
	if err := replace(work, dir); err != nil {
		return "", fmt.Errorf("the gateway's folder: %w", err)
	}
	fmt.Fprintf(progress, "Installed: %s\n", dir)
	return dir, nil
}

// replace renames work to dir, unless another install was faster. What is there
// and is no install, somebody has damaged.
func replace(work, dir string) error {
	err := os.Rename(work, dir)
	if err == nil || Installed(dir) {
		return nil
	}
	return errors.Join(os.RemoveAll(dir), os.Rename(work, dir))
}

// npmInstall fails soon where there is no registry, which npm would wait for.
func npmInstall(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, installTimeout, errors.New("npm took too long"))
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund",
		"--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000", "--fetch-timeout=30000")
	npm.Dir = dir
	npm.WaitDelay = 5 * time.Second // its children may hold its output open
	output, err := npm.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("npm ci: %w", context.Cause(ctx))
	}
	return fmt.Errorf("%w: npm ci: %w: %s; is npm's registry reachable?", engine.ErrUnavailable, err, npmReason(output))
}

// CheckNode fails with engine.ErrState where node is not there or too old.
func CheckNode(ctx context.Context, node string) error {
	output, err := exec.CommandContext(ctx, node, "--version").Output()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w: the IM gateway needs Node %d or newer: %w", engine.ErrState, oldestNode, err)
	}
	version := strings.TrimPrefix(string(bytes.TrimSpace(output)), "v")
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldestNode {
		return fmt.Errorf("%w: the IM gateway needs Node %d or newer, %s is %q", engine.ErrState, oldestNode, node, version)
	}
	return nil
}
