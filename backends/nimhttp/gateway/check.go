package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/imreuse/imreuse/engine"
)

// receiptFile is what Install leaves in the folder: the hash of what npm put
// there. It also marks the folder as ours.
const receiptFile = "install.json"

type receipt struct {
	Packages string `json:"node_modules"` // from hashPackages
}

// Installed reports whether dir has the gateway and its SDK, as Install leaves
// them. Check says what is wrong.
func Installed(dir string) bool { return check(dir, true) == nil }

// Check fails with engine.ErrState unless the gateway in dir is safe to run: its
// files are those of this package, node_modules is as Install left it, and
// nobody but this user and root can write any of it, or a folder above it: up
// to the user's cache folder if dir is in there, and to the root otherwise. A
// sticky folder such as /tmp may be above it. There are no symbolic links in
// dir, nor between it and the cache folder. The SDK's own hash is not asked for
// where NIM_SDK names another one.
//
// Windows has no such owners and modes: there the contents alone are checked,
// and the access lists of the folder are the user's concern.
func Check(dir string) error { return check(dir, os.Getenv("NIM_SDK") == "") }

func check(dir string, withSDK bool) error {
	if _, err := os.Stat(filepath.Join(dir, "main.mjs")); err != nil {
		return notInstalled(dir)
	}
	dir, err := checkWay(dir)
	if err != nil {
		return err
	}
	if err := checkFiles(dir); err != nil {
		return err
	}
	if err := checkTree(dir); err != nil || !withSDK {
		return err
	}
	return checkPackages(dir)
}

func notInstalled(dir string) error {
	return fmt.Errorf("%w: there is no gateway with its SDK in %s; run: %s", engine.ErrState, dir, installCommand(dir))
}

// installCommand is the command that installs into dir.
func installCommand(dir string) string {
	if standard, err := Dir(); err == nil && dir == standard {
		return "imreuse gateway install"
	}
	return "imreuse gateway install -dir " + dir
}

// checkWay checks dir and the folders above it, and returns dir without links.
func checkWay(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", unsafe(dir, err)
	}
	if cache, err := os.UserCacheDir(); err == nil && within(cache, dir) {
		return dir, checkBelow(cache, dir)
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", unsafe(dir, err)
	}
	for _, path := range []string{dir, real} { // whoever can move a link is to be trusted, too
		for parent := ""; path != parent; path, parent = filepath.Dir(path), path {
			if err := checkPlace(path, sticky|link); err != nil {
				return "", err
			}
		}
	}
	return real, nil
}

// checkBelow checks top, and the folders from there down to dir, which must not
// be links.
func checkBelow(top, dir string) error {
	for path := dir; path != top; path = filepath.Dir(path) {
		if err := checkPlace(path, 0); err != nil {
			return err
		}
	}
	real, err := filepath.EvalSymlinks(top)
	if err != nil {
		return unsafe(top, err)
	}
	return checkPlace(real, sticky)
}

func within(top, dir string) bool {
	relative, err := filepath.Rel(top, dir)
	return err == nil && relative != "." && filepath.IsLocal(relative)
}

// What may be there besides files and folders that nobody else can write:
// sticky folders, in which others cannot rename or delete what is ours, and
// links that nobody else can change.
const (
	sticky = fs.ModeSticky
	link   = fs.ModeSymlink
)

// checkPlace checks one file or folder.
func checkPlace(path string, allowed fs.FileMode) error {
	info, err := os.Lstat(path)
	if err != nil {
		return unsafe(path, err)
	}
	return checkInfo(path, info, allowed)
}

func checkInfo(path string, info fs.FileInfo, allowed fs.FileMode) error {
	kind := info.Mode().Type()
	if kind != 0 && kind != fs.ModeDir && kind&allowed == 0 {
		return unsafe(path, errors.New("it is neither a file nor a folder, but a link or a device"))
	}
	if owner, foreign := foreignOwner(info); foreign {
		return unsafe(path, fmt.Errorf("it belongs to user %d; run it as that user, or install the gateway elsewhere", owner))
	}
	if kind != link && othersCanWrite(info) && info.Mode()&allowed == 0 {
		return unsafe(path, fmt.Errorf("others can write to it; run: chmod go-w %s", path))
	}
	return nil
}

func unsafe(path string, why error) error {
	return fmt.Errorf("%w: the gateway is not safe to run, because of %s: %w", engine.ErrState, path, why)
}

// checkFiles compares the files with those of this package.
func checkFiles(dir string) error {
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		want, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(got, want) {
			return changed(dir, name)
		}
		return nil
	})
}

func changed(dir, name string) error {
	return fmt.Errorf("%w: %s in the gateway's folder %s is not what this version of imreuse installs; run: %s", engine.ErrState, name, dir, installCommand(dir))
}

// checkTree checks everything in dir, but its contents.
func checkTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return unsafe(path, err)
		}
		info, err := d.Info()
		if err != nil {
			return unsafe(path, err)
		}
		return checkInfo(path, info, 0)
	})
}

func checkPackages(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(sdkEntry))); err != nil {
		return notInstalled(dir)
	}
	var want receipt
	data, err := os.ReadFile(filepath.Join(dir, receiptFile))
	if err == nil {
		err = json.Unmarshal(data, &want)
	}
	if err != nil {
		return fmt.Errorf("%w: %s was not installed by imreuse: it has no %s; run: %s", engine.ErrState, dir, receiptFile, installCommand(dir))
	}
	got, err := hashPackages(dir)
	if err != nil {
		return unsafe(dir, err)
	}
	if got != want.Packages {
		return changed(dir, "node_modules")
	}
	return nil
}

// hashPackages is one hash of the names and contents in node_modules.
func hashPackages(dir string) (string, error) {
	hash := sha256.New()
	root := os.DirFS(dir)
	err := fs.WalkDir(root, "node_modules", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return hashFile(hash, root, name)
	})
	return hex.EncodeToString(hash.Sum(nil)), err
}

func hashFile(hash io.Writer, root fs.FS, name string) error {
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	fmt.Fprintf(hash, "%q %d\n", name, info.Size())
	_, err = io.Copy(hash, file)
	return err
}
