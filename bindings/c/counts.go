//go:build cgo && counts

package main

import "C"

import "runtime"

// This file is only in the library that the leak test links.

// imreuse_test_handles returns how many handles are open.
//
//export imreuse_test_handles
func imreuse_test_handles() C.int {
	return C.int(ims.len() + kits.len() + mocks.len() + requests.len() + engines.len() + calls.len() + watches.len())
}

func (t *table[T]) len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.values)
}

//export imreuse_test_goroutines
func imreuse_test_goroutines() C.int { return C.int(runtime.NumGoroutine()) }
