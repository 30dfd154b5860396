{{- define "aegle.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "aegle.match" -}}
app.kubernetes.io/name: aegle
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "aegle.labels" -}}
{{ include "aegle.match" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "aegle.image" -}}
{{- $repository := required "image.repository: the image of your own registry (deploy/Dockerfile)" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{ $repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "aegle.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "aegle.mounts" -}}
- {name: workspace, mountPath: /workspace}
- {name: scratch, mountPath: /tmp}
{{- end -}}

{{- define "aegle.pod" -}}
metadata:
  labels: {{- include "aegle.labels" . | nindent 4 }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add .Values.drainSeconds 15 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  initContainers:
    - name: init
      image: {{ include "aegle.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: [sh, -euc]
      # Keys that were added since stay: the secret is what a workspace begins with.
      args:
        - |
          aegle init -w /workspace
          if [ ! -e /workspace/journal/keys.json ]; then
            umask 077
            cp /keys/keys.json /workspace/journal/.keys.new
            mv /workspace/journal/.keys.new /workspace/journal/keys.json
          fi
      securityContext: {{- include "aegle.confined" . | nindent 8 }}
      resources: {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        {{- include "aegle.mounts" . | nindent 8 }}
        - {name: keys, mountPath: /keys, readOnly: true}
  containers:
    - name: aegle
      image: {{ include "aegle.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve, -w, /workspace, --host, 0.0.0.0, --port, "8471"]
      env:
        - {name: AEGLE_SERVE__DRAIN_S, value: {{ .Values.drainSeconds | quote }}}
        - {name: AEGLE_SERVE__REQUIRE_KEYS, value: "true"}
        {{- range $name, $value := .Values.settings }}
        - {name: {{ $name }}, value: {{ $value | quote }}}
        {{- end }}
        {{- range .Values.secretSettings }}
        - name: {{ .name }}
          valueFrom: {secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}}
        {{- end }}
      ports:
        - {name: http, containerPort: 8471}
      startupProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 2
        failureThreshold: 90
      livenessProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 5
        timeoutSeconds: 5
      securityContext: {{- include "aegle.confined" . | nindent 8 }}
      resources: {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts: {{- include "aegle.mounts" . | nindent 8 }}
  volumes:
    - name: scratch
      emptyDir: {sizeLimit: {{ .Values.workspace.scratch }}}
    {{- if eq .Values.mode "models" }}
    - name: workspace
      emptyDir: {sizeLimit: {{ .Values.workspace.size }}}
    {{- end }}
    - name: keys
      secret:
        secretName: {{ required "keys.secret: a secret with keys.json; beyond one machine every request needs a key" .Values.keys.secret }}
        defaultMode: 0440
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
