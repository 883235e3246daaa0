//go:build cgo && counts

package main

import "C"

import "runtime"

// This file is only in the library that the leak test links.

//export imreuse_test_handles
func imreuse_test_handles() C.int {
	return C.int(len(ims.values) + len(kits.values) + len(mocks.values) + len(requests.values) +
		len(engines.values) + len(calls.values) + len(watches.values))
}

//export imreuse_test_goroutines
func imreuse_test_goroutines() C.int { return C.int(runtime.NumGoroutine()) }
