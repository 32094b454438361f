{{/* Labels of every object: (list $ "component") */}}
{{- define "tulle.labels" -}}
{{- $component := index . 1 -}}
app.kubernetes.io/name: tulle
app.kubernetes.io/component: {{ $component }}
app.kubernetes.io/part-of: tulle
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | toJson }}
tulle.dev/control-plane: {{ $component }}
{{- end -}}
