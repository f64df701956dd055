// Package pack writes and reads packs: files of about 16 MiB that hold chunks.
// A pack is an ordinary age file; its content is one zstd frame for each chunk,
// then a skippable frame of zeros, so that its size says little.
//
// What is read may come from a server that lies. Every chunk is checked by its
// id, decompression never writes more than a place announces, and a range costs
// memory for that range alone.
package pack
