package image

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// loadCompose reads compose files as docker compose does: against the
// specification's schema, with anchors, merges and variables resolved, and with
// profiles switched on.
func loadCompose(t *testing.T, profiles []string, files ...string) *types.Project {
	t.Helper()
	for i := range files {
		files[i] = path.Join(root, files[i])
	}
	options, err := cli.NewProjectOptions(files, cli.WithWorkingDirectory(root), cli.WithEnv(nil), cli.WithProfiles(profiles))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func envOf(s types.ServiceConfig, name string) string {
	if value := s.Environment[name]; value != nil {
		return *value
	}
	return ""
}

// What a fresh machine gets, and what profiles add.
func TestComposeProfiles(t *testing.T) {
	for _, test := range []struct {
		profiles []string
		services []string
	}{
		{nil, []string{"core", "gateway"}},
		{[]string{"tls"}, []string{"caddy", "core", "gateway"}},
		{[]string{"observability"}, []string{"core", "gateway", "grafana", "prometheus"}},
	} {
		if names := loadCompose(t, test.profiles, "docker-compose.yml").ServiceNames(); !slices.Equal(names, test.services) {
			t.Errorf("with the profiles %q: %q", test.profiles, names)
		}
	}
}

// What every service may and must not, and that it is looked after.
func TestComposeServices(t *testing.T) {
	project := loadCompose(t, []string{"*"}, "docker-compose.yml")
	for name, s := range project.Services {
		if !s.ReadOnly || s.Privileged || !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s may do more than it needs to", name)
		}
		if s.MemLimit <= 0 || s.Logging == nil || s.Logging.Options["max-size"] == "" || s.Logging.Options["max-file"] == "" {
			t.Errorf("%s may take all memory, or fill the disk with its log", name)
		}
		if s.Restart != types.RestartPolicyUnlessStopped || s.HealthCheck == nil || len(s.HealthCheck.Test) == 0 {
			t.Errorf("%s is not started again, or nobody asks how it is", name)
		}
		if s.Build == nil && !strings.Contains(path.Base(s.Image), ":") {
			t.Errorf("%s is of no version: %s", name, s.Image)
		}
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
				t.Errorf("%s mounts %s, which is not there or may be written to", name, v.Source)
			}
		}
		for _, after := range s.DependsOn {
			if after.Condition != types.ServiceConditionHealthy {
				t.Errorf("%s starts when another is %q", name, after.Condition)
			}
		}
	}
	// What faces the network. The operator's pages must not.
	published := map[string][]string{}
	for name, s := range project.Services {
		for _, p := range s.Ports {
			published[name] = append(published[name], strings.TrimPrefix(p.HostIP+":"+p.Published, ":"))
		}
	}
	for name, want := range map[string][]string{
		"core": {"1256", "127.0.0.1:8090"}, "gateway": {"5000"}, "caddy": {"80", "443", "443"},
		"prometheus": {"127.0.0.1:9090"}, "grafana": {"127.0.0.1:3000"},
	} {
		if !slices.Equal(published[name], want) {
			t.Errorf("%s publishes %q, want %q", name, published[name], want)
		}
	}
}

// Core and gateway are built as the Dockerfile has them, and find each other.
func TestComposeProgramsFit(t *testing.T) {
	project := loadCompose(t, nil, "docker-compose.yml")
	images := map[string]image{}
	for name, target := range map[string]string{"core": "server", "gateway": "gateway"} {
		s := project.Services[name]
		if s.Build == nil || s.Build.Target != target || s.StopGracePeriod == nil {
			t.Errorf("%s is not built, or stopped, as it should be", name)
		}
		images[name] = imageOf(t, target)
		if s.User != images[name].user || strings.HasPrefix(s.User, "0") {
			t.Errorf("%s runs as %q; the image is made for %q", name, s.User, images[name].user)
		}
		if !slices.Equal(s.HealthCheck.Test, append([]string{"CMD"}, images[name].health...)) {
			t.Errorf("%s is asked %q, its image says %q", name, s.HealthCheck.Test, images[name].health)
		}
		if len(s.Volumes) != 2 || s.Volumes[0].Target != "/data" || s.Volumes[1].Source != "between" || s.Volumes[1].ReadOnly != (name == "gateway") {
			t.Errorf("%s has the volumes %v", name, s.Volumes)
		}
	}
	core, gateway := project.Services["core"], project.Services["gateway"]
	if core.Volumes[0].Source == gateway.Volumes[0].Source || images["core"].user == images["gateway"].user {
		t.Error("the gateway has a way to the catalog and the master key")
	}
	if envOf(core, "COFFER_SERVER_DATA") != "/data/core" || path.Dir(envOf(gateway, "COFFER_GATEWAY_JWT_SECRET_FILE")) != "/data/gateway" {
		t.Error("what must last is not in a volume")
	}
	for listens, looks := range map[string]string{"COFFER_SERVER_INTERNAL_LISTEN": "COFFER_GATEWAY_CORE", "COFFER_CORE_SECRET_FILE": "COFFER_CORE_SECRET_FILE"} {
		there := strings.TrimPrefix(envOf(core, listens), "unix:")
		if envOf(gateway, looks) != envOf(core, listens) || path.Dir(there) != core.Volumes[1].Target {
			t.Errorf("the gateway does not look where the core has it: %s", listens)
		}
	}
	if group, _, _ := strings.Cut(core.User, ":"); !slices.Equal(gateway.GroupAdd, []string{group}) {
		t.Errorf("the gateway has the groups %q", gateway.GroupAdd)
	}
	for name, s := range loadCompose(t, []string{"*"}, "docker-compose.yml").Services {
		if name != "core" && name != "gateway" && slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Source == "between" }) {
			t.Errorf("%s reaches the core's socket", name)
		}
	}
	for name := range loadCompose(t, []string{"tls"}, "docker-compose.yml").Services["caddy"].Networks {
		if _, shared := core.Networks[name]; shared {
			t.Errorf("what faces browsers reaches the core, by the network %s", name)
		}
	}
}

// Caddy alone is believed whom it speaks for, and Prometheus asks for what there
// is.
func TestComposeProxyAndMetrics(t *testing.T) {
	project := loadCompose(t, []string{"*"}, "docker-compose.yml")
	address := project.Services["caddy"].Networks["web"].Ipv4Address
	if address == "" || envOf(project.Services["gateway"], "COFFER_GATEWAY_TRUSTED_PROXIES") != address+"/32" {
		t.Errorf("the gateway believes others than %s", address)
	}
	text, err := os.ReadFile(filepath.Join(root, "deploy/prometheus/prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	core, gateway := project.Services["core"], project.Services["gateway"]
	for _, want := range []string{"[core" + envOf(core, "COFFER_CONSOLE_LISTEN") + "]", "[gateway" + envOf(gateway, "COFFER_GATEWAY_LISTEN") + "]"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("Prometheus does not ask %s", want)
		}
	}
	alerts, err := os.ReadFile(filepath.Join(root, "deploy/prometheus/alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`job="([^"]*)"`).FindAllStringSubmatch(string(alerts), -1) {
		if !strings.Contains(string(text), "job_name: "+found[1]+"\n") {
			t.Errorf("the alerts are about the job %s, which there is not", found[1])
		}
	}
	if envOf(core, "COFFER_CONSOLE_HOST") != "core" {
		t.Error("the core refuses Prometheus, which asks for it by its name")
	}
}

// Secrets may come from files outside, each to the one who needs it.
func TestComposeSecrets(t *testing.T) {
	project := loadCompose(t, nil, "docker-compose.yml", "deploy/compose/secrets.yml")
	for service, variables := range map[string][]string{
		"core":    {"COFFER_SERVER_MASTER_KEY_FILE", "COFFER_CONSOLE_TOKEN_FILE"},
		"gateway": {"COFFER_GATEWAY_JWT_SECRET_FILE"},
	} {
		s := project.Services[service]
		if len(s.Secrets) != len(variables) {
			t.Errorf("%s has the secrets %v", service, s.Secrets)
		}
		for _, variable := range variables {
			name, ok := strings.CutPrefix(envOf(s, variable), "/run/secrets/")
			if !ok || !slices.ContainsFunc(s.Secrets, func(c types.ServiceSecretConfig) bool { return c.Source == name }) || project.Secrets[name].File == "" {
				t.Errorf("%s: %s is %q", service, variable, envOf(s, variable))
			}
		}
	}
}
