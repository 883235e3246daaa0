//go:build unix

package main

import "syscall"

// ownSession keeps the signal of Ctrl-C away from the browser.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
