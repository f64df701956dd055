package server

// SmallContent is how many bytes of small content are in memory.
func (s *Server) SmallContent() int64 { return s.uploads.SmallContent() }
