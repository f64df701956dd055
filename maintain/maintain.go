// Package maintain looks after storage: it reads back what is stored and finds
// what is damaged, missing or left over, makes a lost catalog anew from the
// blobs, and exports what a client has.
//
// It works on a catalog and blobs alone, beside a running core or without one,
// and can open nothing that it reads.
package maintain
