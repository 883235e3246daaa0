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

// receiptFile is a file that Install leaves in the folder. It has the hash of
// the packages that npm installed, and it marks the folder as ours.
const receiptFile = "install.json"

type receipt struct {
	Packages string `json:"node_modules"` // from hashPackages
}

// Installed reports whether dir has the gateway and its SDK as Install left
// them. If it returns false, Check says why.
func Installed(dir string) bool { return check(dir, true) == nil }

// Check fails with engine.ErrState unless the gateway in dir is safe to run:
//
//   - Its files are the same as in this package, and node_modules is as Install
//     left it. If NIM_SDK names another SDK, the hash of node_modules is not
//     checked.
//   - Only this user and root can write to dir, to anything in it, and to the
//     folders above it: up to the user's cache folder if dir is inside it, and
//     up to the root otherwise. A folder above dir may be sticky, like /tmp.
//   - dir has no symbolic links, and there are none between it and the cache
//     folder.
//
// Windows has no such owners and modes, so there Check looks only at the
// contents; the access lists of the folder are up to the user.
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

// installCommand returns the command that installs into dir.
func installCommand(dir string) string {
	if standard, err := Dir(); err == nil && dir == standard {
		return "imreuse gateway install"
	}
	return "imreuse gateway install -dir " + dir
}

// checkWay checks dir and the folders above it. It returns dir with its links
// resolved.
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
	for _, path := range []string{dir, real} { // both ways, because anyone who can replace a link can replace the gateway
		for parent := ""; path != parent; path, parent = filepath.Dir(path), path {
			if err := checkPlace(path, sticky|link); err != nil {
				return "", err
			}
		}
	}
	return real, nil
}

// checkBelow checks top, and the folders below it down to dir. Those must not
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

// Exceptions to the rule that only files and folders are allowed, and that
// nobody else can write to them. In a sticky folder others can write, but
// cannot rename or delete our files. A link is allowed if it belongs to this
// user or root.
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
		return unsafe(path, errors.New("it is a link or a device, not a file or a folder"))
	}
	if owner, foreign := foreignOwner(info); foreign {
		return unsafe(path, fmt.Errorf("it belongs to user %d; run the gateway as that user, or install it elsewhere", owner))
	}
	if kind != link && othersCanWrite(info) && info.Mode()&allowed == 0 {
		return unsafe(path, fmt.Errorf("others can write to it; run: chmod go-w %s", path))
	}
	return nil
}

func unsafe(path string, why error) error {
	return fmt.Errorf("%w: the gateway is not safe to run because of %s: %w", engine.ErrState, path, why)
}

// checkFiles compares the files in dir with the ones embedded in this package.
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
	return fmt.Errorf("%w: %s in the gateway's folder %s differs from the one that this version of imreuse installs; run: %s", engine.ErrState, name, dir, installCommand(dir))
}

// checkTree checks the type, owner and mode of everything in dir.
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
		return fmt.Errorf("%w: %s was not installed by imreuse, because it has no valid %s; run: %s", engine.ErrState, dir, receiptFile, installCommand(dir))
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

// hashPackages returns one hash of all names and contents in node_modules.
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
