{{/* Names are the release's. 52 characters at most: Kubernetes puts a hash of ten behind the set's name in a label, which ends at 63. */}}
{{- define "forebay.name" -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "forebay.peers" -}}
{{- include "forebay.name" . }}-peers
{{- end -}}

{{- define "forebay.selector" -}}
app.kubernetes.io/name: forebay
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "forebay.labels" -}}
{{ include "forebay.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* Where the other nodes reach a pod, given its name. It stays the same when the pod is made anew; its IP address does not. */}}
{{- define "forebay.peerAddress" -}}
{{ .pod }}.{{ include "forebay.peers" .root }}.{{ .root.Release.Namespace }}.svc:8501
{{- end -}}
