package api

// WithConnection is what Serve gives its server.
var WithConnection = withConnection
