{{/* Labels by which the operator's pods are found. They are fixed: nodes reach the operator by a fixed Service. */}}
{{- define "peerwright.selectorLabels" -}}
app.kubernetes.io/name: peerwright-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of everything that the chart makes. */}}
{{- define "peerwright.labels" -}}
{{ include "peerwright.selectorLabels" . }}
app.kubernetes.io/part-of: peerwright
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Name of what is cluster-wide: two installs, each with a list of namespaces of its own, can live side by side. */}}
{{- define "peerwright.clusterName" -}}
peerwright-operator-{{ .Release.Namespace }}
{{- end }}

{{/* The ServiceAccount of the operator, as a binding names it. */}}
{{- define "peerwright.subject" -}}
- kind: ServiceAccount
  name: peerwright-operator
  namespace: {{ .Release.Namespace }}
{{- end }}

{{/* What the operator does in a namespace whose networks it keeps. No Secret is among it. */}}
{{- define "peerwright.networkRules" -}}
# Read what people want.
- apiGroups: [peerwright.dev]
  resources: [peernetworks, registersubscriptions, peerbans, peeroperations]
  verbs: [get, list, watch]
# Say what became of it. The spec is people's: the operator never writes theirs.
- apiGroups: [peerwright.dev]
  resources: [peernetworks/status, registersubscriptions/status, peerbans/status, peeroperations/status]
  verbs: [patch]
# Hold a subscription that is deleted with its data until the nodes have deleted that: a finalizer, which belongs to the
# object itself. The rest of it is never written.
- apiGroups: [peerwright.dev]
  resources: [registersubscriptions]
  verbs: [patch]
# Make PeerBans of bans that enough nodes made by themselves, where `spec.autoBans` says so, and take away those that ended.
- apiGroups: [peerwright.dev]
  resources: [peerbans]
  verbs: [create, patch, delete]
# Own what it makes: some clusters ask for this right of whoever makes an owner's deletion wait for its children.
- apiGroups: [peerwright.dev]
  resources: [peernetworks/finalizers]
  verbs: [update]
# Keep one StatefulSet for each node group.
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch, delete]
# Keep the headless and the client Service and the nodes' ServiceAccount.
- apiGroups: [""]
  resources: [services, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
# Keep the public trust bundle and the snapshot. The snapshot is written by update: a version that somebody else changed
# is refused, and a leader that lost its lease stops there.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, update, patch, delete]
# Keep a drain from taking two nodes of a network at once.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# Let in only what nodes serve.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# Check who asks for a certificate, and see which nodes are Ready.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# Restart a node when its template changed. An eviction, so that the disruption budget has its say.
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
# Bind a node's identity to its volume: the claim's UID is the key of the member table.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get]
# Tell people about transitions.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
