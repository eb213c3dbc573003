{{/* The name of everything that the release makes: the release's, with the chart's where it says something else. */}}
{{- define "imagebuild.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Names of cluster-wide objects: two releases in two namespaces must not meet. */}}
{{- define "imagebuild.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "imagebuild.name" .) -}}
{{- end -}}

{{- define "imagebuild.selector" -}}
app.kubernetes.io/name: imagebuild
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "imagebuild.labels" -}}
{{ include "imagebuild.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Repository with digest, or with tag. */}}
{{- define "imagebuild.image" -}}
{{- $name := required "image.repository is needed: build the image with `make image`, push it, and name it here" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* What the operator may do where it serves ImageBuilds. No Secrets, no exec, no finalizers. */}}
{{- define "imagebuild.rules" -}}
- apiGroups: [imagebuild.dev]
  resources: [imagebuilds]
  verbs: [get, list, watch]
- apiGroups: [imagebuild.dev]
  resources: [imagebuilds/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}
