{{- define "chancery.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "chancery.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "chancery.labels" -}}
{{ include "chancery.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "chancery.serviceAccount" -}}
{{- default (include "chancery.name" .) .Values.serviceAccount.name -}}
{{- end -}}

{{/* Chancery itself refuses to start otherwise; here it is said before anything is installed. */}}
{{- define "chancery.check" -}}
{{- if not .Values.existingSettings -}}
{{- if and (empty .Values.settings.etcd) (empty .Values.settings.files) -}}
{{- fail "settings.etcd is empty: name etcd's endpoints, such as --set 'settings.etcd={http://etcd:2379}'" -}}
{{- end -}}
{{- if and (empty .Values.apiKeys) (not .Values.insecure) -}}
{{- fail "apiKeys is empty, so nothing says who may call the admin port: add {name, hash, roles}, or set insecure where the network itself is trusted" -}}
{{- end -}}
{{- end -}}
{{- if and (empty .Values.xds.tls.secret) (not .Values.insecure) -}}
{{- fail "xds.tls.secret is empty, so nothing says which proxies may connect: name a Secret with tls.crt, tls.key and ca.crt, or set insecure where the network itself is trusted" -}}
{{- end -}}
{{- end -}}
