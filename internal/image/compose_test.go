package image

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// loadCompose reads docker-compose.yml as docker compose does: against the
// specification's schema, with anchors, merges and variables resolved.
func loadCompose(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{path.Join(root, "docker-compose.yml")}, cli.WithEnv(nil))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// What the two services may and must not.
func TestCompose(t *testing.T) {
	project := loadCompose(t)
	if names := project.ServiceNames(); !slices.Equal(names, []string{"core", "gateway"}) {
		t.Fatalf("services %q", names)
	}
	owners := volumeOwners(t)
	// The console, which is for the operator alone, must not face the network.
	for name, want := range map[string][]string{"core": {":1256", "127.0.0.1:8090"}, "gateway": {":5000"}} {
		t.Run(name, func(t *testing.T) {
			s := project.Services[name]
			var published []string
			for _, port := range s.Ports {
				published = append(published, port.HostIP+":"+port.Published)
			}
			if !slices.Equal(published, want) {
				t.Errorf("published: %v", s.Ports)
			}
			if !s.ReadOnly || s.Privileged || !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
				t.Error("it may do more than it needs to")
			}
			if len(s.Volumes) != 1 || s.Volumes[0].Source != "data" || s.Volumes[0].Target != "/data" {
				t.Errorf("volumes %v", s.Volumes)
			}
			// It runs as the one who owns its folder of the volume, and is nobody's root.
			if own := owners["/data/"+name]; s.User == "" || s.User != own || strings.HasPrefix(own, "0") {
				t.Errorf("it runs as %q; its folder is %q's", s.User, own)
			}
			if s.HealthCheck == nil || !slices.Equal(s.HealthCheck.Test, []string{"CMD", s.Command[0], "health"}) {
				t.Errorf("health check %v", s.HealthCheck)
			}
			if s.Build == nil || s.StopGracePeriod == nil || s.Restart != types.RestartPolicyUnlessStopped {
				t.Error("it is not built, stopped or started again as it should be")
			}
		})
	}
	env := func(service, name string) string {
		if value := project.Services[service].Environment[name]; value != nil {
			return *value
		}
		return ""
	}
	if env("core", "COFFER_DATA") != "/data/core" || path.Dir(env("gateway", "COFFER_JWT_SECRET_FILE")) != "/data/gateway" {
		t.Error("what must last is not in the volume")
	}
	if env("gateway", "COFFER_CORE") != "core"+env("core", "COFFER_INTERNAL_LISTEN") {
		t.Error("the gateway does not look where the core listens")
	}
	if after := project.Services["gateway"].DependsOn["core"]; after.Condition != types.ServiceConditionHealthy {
		t.Errorf("the gateway starts when the core is %q", after.Condition)
	}
}

// volumeOwners tells whose the folders are that the image's volume begins with.
func volumeOwners(t *testing.T) map[string]string {
	t.Helper()
	stages := readDockerfile(t)
	owners := map[string]string{}
	for _, in := range stages[len(stages)-1].instructions {
		if in.name != "COPY" {
			continue
		}
		if c := parseCopy(in.args); c.to == "/data/" {
			owners["/data/"+path.Base(strings.TrimRight(c.sources[0], "/"))] = c.chown
		}
	}
	if len(owners) != 2 || owners["/data/core"] == owners["/data/gateway"] {
		t.Fatalf("the folders of the volume belong to %q", owners)
	}
	return owners
}
