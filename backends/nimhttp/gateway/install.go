// Package gateway has the files of the IM gateway, a small service in Node that
// holds IM logins with the vendor's own SDK, and installs them. It is started
// by nimhttp.StartGateway. What it serves is described by openapi.yaml.
//
// The gateway has two settings of its own, in the environment:
//
//   - IMREUSE_GATEWAY_LOG is what the SDK prints on stderr: off, error (the
//     default), warn or log. Tokens are never printed.
//   - NIM_SDK is another build of the vendor's SDK, which you have installed: its
//     path, or the name of a package in the gateway's node_modules. Nothing
//     checks who can write to it.
//
// Besides these, Node gets PATH, HOME, TMPDIR, TZ, LANG, LC_ALL, SSL_CERT_FILE,
// SSL_CERT_DIR and NODE_EXTRA_CA_CERTS, and on Windows SystemRoot, ComSpec,
// PATHEXT, TEMP, TMP and USERPROFILE. It gets nothing else from the host's
// environment, neither NODE_OPTIONS nor the host's own secrets. A gateway that
// needs more is started by a wrapper script, named as GatewayOptions.Node. npm
// gets the same, without the gateway's settings, and the variables of its
// proxies (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), its settings (npm_config_…) and
// its registry's tokens (NPM_TOKEN, NODE_AUTH_TOKEN), with APPDATA and
// LOCALAPPDATA on Windows.
package gateway

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/child"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewayversion"
	"github.com/imreuse/imreuse/engine"
)

// The files are named one by one in kind: node_modules is never among them.
//
//go:embed *.mjs package.json package-lock.json openapi.yaml
var files embed.FS

// Version is that of the contract, openapi.yaml, which GET /healthz tells.
const Version = gatewayversion.Version

const (
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

// Install unpacks the files into Dir and lets npm fetch the SDK there; see
// InstallIn.
func Install(ctx context.Context, progress io.Writer) (string, error) {
	dir, err := Dir()
	if err != nil {
		return "", err
	}
	if err := InstallIn(ctx, dir, progress); err != nil {
		return "", err
	}
	return dir, nil
}

// InstallIn unpacks the files into dir and lets npm fetch the SDK there, and
// reports to progress what it does. If the gateway is installed there already,
// it does nothing. The work is done in a folder next to dir, which is renamed
// when it is complete: two installs at once are safe, and one that is killed
// leaves nothing that could be taken for an installation. An older or damaged
// installation is replaced, but no other folder is, unless it is empty.
//
// It fails with engine.ErrState if Node or npm is missing or too old, if others
// can write to the folders above dir, or if dir holds something else; and with
// engine.ErrUnavailable if npm's registry cannot be reached.
func InstallIn(ctx context.Context, dir string, progress io.Writer) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("the gateway's folder: %w", err)
	}
	if Installed(dir) {
		fmt.Fprintf(progress, "The gateway is installed already: %s\n", dir)
		return nil
	}
	if err := ready(ctx, dir); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "install-")
	if err != nil {
		return fmt.Errorf("the gateway's folder: %w", err)
	}
	defer os.RemoveAll(work)
	if err := fill(ctx, work, progress); err != nil {
		return err
	}
	if err := replace(work, dir); err != nil {
		return fmt.Errorf("the gateway's folder: %w", err)
	}
	fmt.Fprintf(progress, "Installed: %s\n", dir)
	return nil
}

// ready checks everything that an install needs, and makes the folder above dir.
func ready(ctx context.Context, dir string) error {
	if err := CheckNode(ctx, "node"); err != nil {
		return err
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return fmt.Errorf("%w: there is no npm in your PATH; it comes with Node", engine.ErrState)
	}
	if !replaceable(dir) {
		return fmt.Errorf("%w: %s holds something other than an installation of the gateway; choose an empty folder", engine.ErrState, dir)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("the gateway's folder: %w", err)
	}
	_, err := checkWay(filepath.Dir(dir))
	return err
}

// replaceable reports whether dir is missing, empty, or ours.
func replaceable(dir string) bool {
	if standard, err := Dir(); err == nil && dir == standard {
		return true
	}
	if _, err := os.Lstat(filepath.Join(dir, receiptFile)); err == nil {
		return true
	}
	entries, err := os.ReadDir(dir)
	return errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0
}

// fill makes an installation in work.
func fill(ctx context.Context, work string, progress io.Writer) error {
	if err := os.CopyFS(work, files); err != nil {
		return fmt.Errorf("unpacking the gateway: %w", err)
	}
	fmt.Fprintf(progress, "Fetching the vendor's IM SDK with npm …\n")
	if err := npmInstall(ctx, work); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(work, filepath.FromSlash(sdkEntry))); err != nil {
		return fmt.Errorf("%w: npm ci left the SDK incomplete; try again", engine.ErrUnavailable)
	}
	if err := seal(work); err != nil {
		return fmt.Errorf("the gateway's folder: %w", err)
	}
	return check(work, true)
}

// seal takes the right to write from everybody else, whatever the umask was, and
// notes what npm installed.
func seal(work string) error {
	err := filepath.WalkDir(work, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type() == fs.ModeSymlink {
			return err
		}
		info, err := d.Info()
		if err != nil || !othersCanWrite(info) {
			return err
		}
		return os.Chmod(path, info.Mode().Perm()&^0o022)
	})
	if err != nil {
		return err
	}
	hash, err := hashPackages(work)
	if err != nil {
		return err
	}
	data, err := json.Marshal(receipt{Packages: hash})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(work, receiptFile), append(data, '\n'), 0o600)
}

// replace renames work to dir, unless another install was faster. If dir exists
// but is not a valid installation, it is empty, damaged or of another version.
func replace(work, dir string) error {
	err := os.Rename(work, dir)
	if err == nil || Installed(dir) {
		return nil
	}
	return errors.Join(os.RemoveAll(dir), os.Rename(work, dir))
}

// npmInstall fails soon if there is no registry, which npm would wait for.
func npmInstall(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, installTimeout, errors.New("npm took too long"))
	defer cancel()
	npm := child.NPM(ctx, "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund",
		"--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000", "--fetch-timeout=30000")
	npm.Dir = dir
	output, err := npm.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("npm ci: %w", context.Cause(ctx))
	}
	return fmt.Errorf("%w: npm ci: %w: %s; is npm's registry reachable?", engine.ErrUnavailable, err, npmReason(output))
}
