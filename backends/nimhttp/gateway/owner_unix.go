//go:build unix

package gateway

import (
	"io/fs"
	"os"
	"syscall"
)

// foreignOwner returns the owner's user id, and reports whether the owner is
// neither this user nor root.
func foreignOwner(info fs.FileInfo) (owner int, foreign bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, true
	}
	owner = int(stat.Uid)
	return owner, owner != 0 && owner != os.Geteuid()
}

func othersCanWrite(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }
