// Package chain_test runs the examples of libimreuse over everything that a real
// host has below it: "imreuse gateway" with the vendor's SDK, and "imreuse
// sandbox" in place of the vendor's servers.
package chain_test
