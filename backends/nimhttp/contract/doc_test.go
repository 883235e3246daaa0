// Package contract_test checks the IM gateway and its double against their
// contract, gateway/openapi.yaml, with one table of rows for both. The tests of
// the real gateway, which runs the vendor's SDK, need IMREUSE_VENDOR=1. The
// package has only tests.
package contract_test
