package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// manifests reads deploy/kubernetes as an API server does: by Kubernetes' own
// types, where a field that there is not, or is of another type, is an error.
func manifests(t *testing.T) []runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	files, err := filepath.Glob(filepath.Join(root, "deploy/kubernetes/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no manifests: %v", err)
	}
	var all []runtime.Object
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text))); ; {
			buf := make([]byte, len(text))
			n, err := documents.Read(buf)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			object, kind, err := strict.Decode(buf[:n], nil, nil)
			if err != nil {
				t.Fatalf("%s: %v: %v", file, kind, err)
			}
			all = append(all, object)
		}
	}
	return all
}

// pick are the objects of a type.
func pick[T runtime.Object](all []runtime.Object) (some []T) {
	for _, object := range all {
		if one, ok := object.(T); ok {
			some = append(some, one)
		}
	}
	return some
}

// A workload is what runs pods.
type workload struct {
	name     string
	selector *metav1.LabelSelector
	pod      corev1.PodTemplateSpec
}

func workloads(all []runtime.Object) (list []workload) {
	for _, s := range pick[*appsv1.StatefulSet](all) {
		list = append(list, workload{s.Name, s.Spec.Selector, s.Spec.Template})
	}
	for _, d := range pick[*appsv1.Deployment](all) {
		list = append(list, workload{d.Name, d.Spec.Selector, d.Spec.Template})
	}
	return list
}

// What runs is confined, and what belongs together finds each other.
func TestKubernetes(t *testing.T) {
	all := manifests(t)
	running := workloads(all)
	if len(running) != 2 {
		t.Fatalf("%d workloads", len(running))
	}
	for _, w := range running {
		if selector, err := metav1.LabelSelectorAsSelector(w.selector); err != nil || !selector.Matches(labels.Set(w.pod.Labels)) {
			t.Errorf("%s does not find its own pods: %v", w.name, err)
		}
		spec := w.pod.Spec
		if s := spec.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil {
			t.Errorf("%s may be root", w.name)
		}
		if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
			t.Errorf("%s has a token for the cluster", w.name)
		}
		for _, c := range spec.Containers {
			s := c.SecurityContext
			if s == nil || !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || !slices.Contains(s.Capabilities.Drop, "ALL") {
				t.Errorf("%s may do more than it needs to", w.name)
			}
			if c.Resources.Limits.Memory().IsZero() || c.ReadinessProbe == nil || c.LivenessProbe == nil {
				t.Errorf("%s has no limit of memory, or is not looked after", w.name)
			}
			for _, m := range c.VolumeMounts {
				if !hasVolume(all, spec, m.Name) {
					t.Errorf("%s mounts %s, which is not there", w.name, m.Name)
				}
			}
		}
	}
	for _, service := range pick[*corev1.Service](all) {
		for _, port := range service.Spec.Ports {
			if !reaches(running, service.Spec.Selector, port.TargetPort) {
				t.Errorf("the service %s leads nowhere with %s", service.Name, port.Name)
			}
		}
		if service.Spec.Type == corev1.ServiceTypeLoadBalancer && len(service.Spec.Ports) != 1 {
			t.Errorf("the service %s publishes more than one port", service.Name)
		}
	}
	for _, ingress := range pick[*networkingv1.Ingress](all) {
		backend := ingress.Spec.Rules[0].HTTP.Paths[0].Backend.Service
		if !slices.ContainsFunc(pick[*corev1.Service](all), func(s *corev1.Service) bool {
			return s.Name == backend.Name && slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == backend.Port.Name })
		}) {
			t.Errorf("the ingress leads to %v, which is not there", backend)
		}
	}
	policies := pick[*networkingv1.NetworkPolicy](all)
	for _, w := range running {
		if !slices.ContainsFunc(policies, func(p *networkingv1.NetworkPolicy) bool {
			return labels.SelectorFromSet(p.Spec.PodSelector.MatchLabels).Matches(labels.Set(w.pod.Labels)) && len(p.Spec.PolicyTypes) == 2
		}) {
			t.Errorf("anybody reaches %s, or it reaches anybody", w.name)
		}
		env := map[string]corev1.EnvVar{}
		for _, v := range w.pod.Spec.Containers[0].Env {
			env[v.Name] = v
		}
		if from := env["COFFER_CORE_SECRET"].ValueFrom; from == nil || from.SecretKeyRef == nil || from.SecretKeyRef.Name != "coffer-core" {
			t.Errorf("%s does not get the core secret", w.name)
		}
		if proxies := env["COFFER_GATEWAY_TRUSTED_PROXIES"].Value; proxies != "" && !strings.HasSuffix(proxies, "/32") {
			t.Errorf("%s believes a whole network: %s", w.name, proxies)
		}
	}
	for _, policy := range policies {
		for _, rule := range policy.Spec.Ingress {
			for _, port := range rule.Ports {
				if !reaches(running, policy.Spec.PodSelector.MatchLabels, *port.Port) {
					t.Errorf("the policy %s is about the port %s, which is not there", policy.Name, port.Port)
				}
				if port.Port.String() != "clients" && len(rule.From) == 0 {
					t.Errorf("the policy %s lets everybody to %s", policy.Name, port.Port)
				}
			}
		}
	}
}

// A field that Kubernetes has not is found.
func TestKubernetesIsStrict(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 1, %s: 1}]}\n"
	if _, _, err := strict.Decode(fmt.Appendf(nil, service, "targetPort"), nil, nil); err != nil {
		t.Errorf("a good one: %v", err)
	}
	if _, _, err := strict.Decode(fmt.Appendf(nil, service, "tragetPort"), nil, nil); err == nil {
		t.Error("a bad one passes")
	}
}

func hasVolume(all []runtime.Object, spec corev1.PodSpec, name string) bool {
	if slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == name }) {
		return true
	}
	for _, s := range pick[*appsv1.StatefulSet](all) {
		if slices.ContainsFunc(s.Spec.VolumeClaimTemplates, func(c corev1.PersistentVolumeClaim) bool { return c.Name == name }) {
			return true
		}
	}
	return false
}

// reaches reports whether a port of pods with labels is one of theirs.
func reaches(running []workload, match map[string]string, port intstr.IntOrString) bool {
	for _, w := range running {
		if !labels.SelectorFromSet(match).Matches(labels.Set(w.pod.Labels)) {
			continue
		}
		for _, c := range w.pod.Spec.Containers {
			if slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == port.StrVal }) {
				return true
			}
		}
	}
	return false
}
