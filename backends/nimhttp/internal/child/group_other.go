//go:build !unix

package child

import "os/exec"

// ownGroup has no effect: the standard library cannot end a process group on
// this system. Node ends when its stdin closes, so only a child of a wrapper
// script that ignores its stdin may stay.
func ownGroup(*exec.Cmd) {}

// Terminate has no effect: this system has no signal that asks a process to
// end.
func Terminate(*exec.Cmd) error { return nil }

// Kill kills c, but not its children.
func Kill(c *exec.Cmd) error { return c.Process.Kill() }
