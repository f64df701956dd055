package server

import (
	"sync"

	"coffer/server/upload"
)

// parts are what requests are about, a type for each noun. Each states what it
// asks of the catalog and the blobs; handlers reach these through them alone.
type parts struct {
	accounts  *accounts
	keys      *keys
	removals  *removals
	machines  *machines
	intake    *intake
	uploads   *upload.Registry
	files     *files
	runs      *runs
	packs     *packs
	snapshots *snapshots
	sweeper   *sweeper
}

func newParts(s *Server) (p parts) {
	catalog, blobs := s.cfg.Catalog, s.cfg.Blobs
	p.accounts = &accounts{catalog: catalog, records: blobs, space: s.cfg.Space, settings: s.Settings, journal: s.journal, log: s.log}
	p.accounts.epoch.Store(1)
	p.keys = &keys{accounts: p.accounts, catalog: catalog, sessions: s.sessions, newcomers: s.newcomers, master: s.cfg.MasterKey, hash: s.cfg.OAEPHash}
	p.machines = &machines{catalog: catalog, accounts: p.accounts, keys: p.keys}
	p.sweeper = newSweeper(s)
	p.intake = &intake{space: s.cfg.Space, suspended: s.suspended, catalog: catalog, maxVersions: s.cfg.MaxVersions,
		readers: &sync.Pool{New: func() any { return new(readBuffer) }}}
	p.files = &files{catalog: catalog, blobs: blobs, sweeper: p.sweeper, journal: s.journal, log: s.log}
	p.runs = &runs{catalog: catalog, intake: p.intake, machines: p.machines, sweeper: p.sweeper, settings: s.Settings, most: s.cfg.MaxRuns}
	p.packs = newPacks(s, &p)
	p.snapshots = &snapshots{catalog: catalog, blobs: blobs, packs: p.packs, intake: p.intake, machines: p.machines, sweeper: p.sweeper,
		settings: s.Settings, metrics: s.metrics, journal: s.journal, log: s.log}
	p.uploads = newUploads(s, p.intake, p.snapshots)
	p.removals = &removals{accounts: p.accounts, catalog: catalog, blobs: blobs, sessions: s.sessions, suspended: s.suspended,
		newcomers: s.newcomers, uploads: p.uploads, sweeper: p.sweeper}
	return p
}

// The parts of the server that serve requests.
func ofFiles(s *Server) *files         { return s.files }
func ofRuns(s *Server) *runs           { return s.runs }
func ofPacks(s *Server) *packs         { return s.packs }
func ofSnapshots(s *Server) *snapshots { return s.snapshots }
func ofMachines(s *Server) *machines   { return s.machines }
