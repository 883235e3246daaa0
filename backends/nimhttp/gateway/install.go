// Package gateway has the files of the IM gateway and installs them. The
// gateway is a small service in Node that holds IM logins with the vendor's own
// SDK; nimhttp.StartGateway starts it. Its HTTP API is described in
// openapi.yaml.
//
// The gateway has two settings of its own, in environment variables:
//
//   - IMREUSE_GATEWAY_LOG is the SDK's log level on stderr: off, error (the
//     default), warn or log. Tokens are never printed.
//   - NIM_SDK names another build of the vendor's SDK, which you installed
//     yourself: a path, or the name of a package in the gateway's node_modules.
//     Nothing checks who can write to it.
//
// Node gets these two, and PATH, HOME, TMPDIR, TZ, LANG, LC_ALL, SSL_CERT_FILE,
// SSL_CERT_DIR and NODE_EXTRA_CA_CERTS, and on Windows SystemRoot, ComSpec,
// PATHEXT, TEMP, TMP and USERPROFILE. It gets no other variable of the host, so
// neither NODE_OPTIONS nor the host's secrets. If your gateway needs more,
// start it with a wrapper script: set GatewayOptions.Node to the script.
//
// npm gets the same variables except the two settings. It also gets the ones
// for its proxies (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), its settings
// (npm_config_…) and its registry's tokens (NPM_TOKEN, NODE_AUTH_TOKEN), and on
// Windows APPDATA and LOCALAPPDATA.
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

// These patterns never match node_modules.
//
//go:embed *.mjs package.json package-lock.json openapi.yaml
var files embed.FS

// Version is the version of the gateway's HTTP API, openapi.yaml. GET /healthz
// returns it.
const Version = gatewayversion.Version

const (
	sdkEntry       = "node_modules/nim-web-sdk-ng/dist/nodejs/nim.js"
	installTimeout = 5 * time.Minute
)

// Dir returns the folder that Install makes in the user's cache directory. Its
// name has the hash of the files, so each version of them has its own folder.
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

// Install installs the gateway in Dir, and returns that folder; see InstallIn.
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

// InstallIn unpacks the files into dir, lets npm fetch the SDK there, and
// writes lines about its progress to progress. If the gateway is already
// installed in dir, it does nothing. It replaces an older or damaged
// installation and an empty folder, but no other folder.
//
// InstallIn works in a folder next to dir and renames that folder when it is
// complete. So two installs may run at the same time, and an install that is
// killed leaves nothing that could pass for an installation.
//
// It fails with engine.ErrState if Node or npm is missing, if Node is too old,
// if others can write to the folders above dir, or if dir has other contents.
// It fails with engine.ErrUnavailable if npm cannot reach its registry.
func InstallIn(ctx context.Context, dir string, progress io.Writer) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("the gateway's folder: %w", err)
	}
	if Installed(dir) {
		fmt.Fprintf(progress, "The gateway is already installed: %s\n", dir)
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

// ready checks that an install can succeed, and makes the folder above dir.
func ready(ctx context.Context, dir string) error {
	if err := CheckNode(ctx, "node"); err != nil {
		return err
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return fmt.Errorf("%w: there is no npm in your PATH; it comes with Node", engine.ErrState)
	}
	if !replaceable(dir) {
		return fmt.Errorf("%w: %s is not empty and has no installation of the gateway; choose an empty folder", engine.ErrState, dir)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("the gateway's folder: %w", err)
	}
	_, err := checkWay(filepath.Dir(dir))
	return err
}

// replaceable reports whether dir is missing, is empty, or is an installation
// of the gateway.
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

// seal removes everybody else's write permission, whatever the umask was, and
// writes the receipt.
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
// but is not a valid installation, replace removes it first: ready has found
// that it is empty, damaged or of another version.
func replace(work, dir string) error {
	err := os.Rename(work, dir)
	if err == nil || Installed(dir) {
		return nil
	}
	return errors.Join(os.RemoveAll(dir), os.Rename(work, dir))
}

// npmInstall runs npm ci. Its options make npm fail soon if the registry does
// not answer.
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
