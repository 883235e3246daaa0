// Package chain_test runs an engine over all of its peers at once: a kit
// server, an IM gateway and an IM cloud that share one world of accounts. Every
// test runs over the double of the gateway; with IMREUSE_VENDOR=1 it also runs
// over the real one, with the vendor's SDK. The package has only tests.
package chain_test
