//go:build cgo

package main

import (
	"sync"
	"sync/atomic"
)

// A handle is a number that stands for a Go value in C, where it looks like a
// pointer. No number is given out twice, so a handle whose value has gone stays
// unknown. 0 is none.
type handle uintptr

// The first handle is above all that Go and C take for a null pointer with an
// offset. All are aligned, like pointers.
const (
	firstHandle handle = 1 << 20
	handleStep  handle = 16
)

var lastHandle atomic.Uintptr

func newHandle() handle {
	return firstHandle + handle(lastHandle.Add(uintptr(handleStep)))
}

// A table has the values behind the handles of one type.
type table[T any] struct {
	mu     sync.RWMutex
	values map[handle]T
}

// add gives v a handle.
func (t *table[T]) add(v T) handle {
	h := newHandle()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.values == nil {
		t.values = map[handle]T{}
	}
	t.values[h] = v
	return h
}

// get returns the value behind h, or the zero T.
func (t *table[T]) get(h handle) T {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.values[h]
}

// remove forgets h, and returns the value that was behind it, or the zero T.
func (t *table[T]) remove(h handle) T {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := t.values[h]
	delete(t.values, h)
	return v
}
