// Package contract_test holds the IM gateway and its double to one contract,
// gateway/openapi.yaml: one table of rows runs over both. The tests of the real
// gateway and of the vendor's SDK in it need IMREUSE_VENDOR=1. There are only
// tests here.
package contract_test
