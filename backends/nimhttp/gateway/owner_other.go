//go:build !unix

package gateway

import "io/fs"

func foreignOwner(fs.FileInfo) (owner int, foreign bool) { return 0, false }

func othersCanWrite(fs.FileInfo) bool { return false }
