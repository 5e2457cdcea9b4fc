"""The chart: what it renders is what Kubernetes' own schemas accept, what the binary accepts, and what agrees with itself."""

import re
import urllib.request

import kubernetes_validate
import pytest
import yaml
from conftest import ASKED_AGAIN_SECONDS, DEPLOY, call, documents, effective, longest_stop, notice, overrides, ports

CHART = DEPLOY / "helm/forebay"
# All versions that the chart takes and that schemas are bundled for.
VERSIONS = ["1.35", "1.36", "1.37"]
TLS = {"clients": {"tlsSecretName": "front"}, "cluster": {"tlsSecretName": "between"}}
EVERYTHING = TLS | {
    "image": {"tag": "0.1.0", "pullSecrets": [{"name": "registry"}]},
    "replicas": 5,
    "config": "[cache.tables.sessions]\nrecord_ttl_millis = 60000\n",
    "storage": {"className": "fast"},
    "networkPolicy": {
        "monitoring": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "egress": [{"to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}], "ports": [{"port": 4318}]}],
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "nodeSelector": {"pool": "forebay"},
    "tolerations": [{"key": "forebay", "operator": "Exists"}],
    "priorityClassName": "important",
}
SETS = {
    "as it is": {},
    "tls": TLS,
    "everything": EVERYTHING,
    "a single node": {"replicas": 1},
    "no clients": {"networkPolicy": {"clients": []}},
}
POD = {"POD_NAME": "set-1", "POD_IP": "192.0.2.7", "ZONE": "1"}


def render(tmp_path, values=None, good=True, version="1.37.0"):
    """The chart's objects by (kind, name), as release `set` in namespace `data`; or why it refused."""
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values or {}))
    command = ["helm", "template", "set", CHART, "--namespace", "data", "--kube-version", version, "--values", path]
    done = call(*command, good=good)
    if not good:
        return done.stderr
    return {(one["kind"], one["metadata"]["name"]): one for one in documents(done.stdout)}


def pod(objects):
    return objects["StatefulSet", "set"]["spec"]["template"]["spec"]


def container(objects):
    (one,) = pod(objects)["containers"]
    return one


def settings(tmp_path, objects):
    """What the node in pod `set-1`, in a zone that is called by a number, makes of its settings."""
    text = objects["ConfigMap", "set"]["data"]["forebay.toml"]
    return effective(tmp_path, text, overrides(container(objects)["args"], POD))


def test_helm_finds_nothing_to_say():
    assert "[WARNING]" not in call("helm", "lint", "--strict", CHART).stdout


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", SETS.values(), ids=SETS)
def test_kubernetes_accepts_it(tmp_path, values, version):
    objects = render(tmp_path, values, version=f"{version}.0")
    monitors = [key for key in objects if key[0] == "ServiceMonitor"]
    assert len(monitors) == bool(values.get("serviceMonitor"))
    for key, one in objects.items():
        # The Prometheus operator's kinds are not Kubernetes' own.
        if key not in monitors:
            assert one["metadata"].get("labels", {}).get("app.kubernetes.io/instance") == "set"
            kubernetes_validate.validate(one, version, strict=True)


def test_schemas_do_refuse(tmp_path):
    one = render(tmp_path)["PodDisruptionBudget", "set"]
    one["spec"]["maxUnavialable"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(one, VERSIONS[0], strict=True)


def test_a_kubernetes_that_tells_no_zone_is_refused(tmp_path):
    assert "kubeVersion" in render(tmp_path, version="1.34.0", good=False)


@pytest.mark.parametrize(
    "values, named",
    [
        ({"replicas": 0}, "replicas"),
        ({"replicas": 12}, "replicas"),
        ({"replica": 3}, "replica"),
        ({"image": {"tag": 1}}, "tag"),
        ({"cacheBytes": "1GB"}, "cacheBytes"),
        ({"cluster": {"maxReplicaLag": "soon"}}, "maxReplicaLag"),
        ({"cluster": {"secretName": ""}}, "secretName"),
        ({"networkPolicy": {"client": []}}, "client"),
        ({"zones": {"minimum": 0}}, "minimum"),
    ],
)
def test_a_wrong_value_is_refused_by_name(tmp_path, values, named):
    assert named in render(tmp_path, values, good=False)


@pytest.mark.parametrize("values", SETS.values(), ids=SETS)
def test_the_binary_accepts_the_settings(tmp_path, values):
    objects = render(tmp_path, values)
    found = settings(tmp_path, objects)
    assert (found["node"]["name"], found["node"]["zone"]) == ("set-1", "1")
    assert found["advertise"]["address"] == "192.0.2.7"
    assert found["advertise"]["peer"] == "set-1.set-peers.data.svc:8501"
    assert found["cluster"]["name"] == "set"
    assert ("tls" in found) == ("tls" in found["cluster"]) == bool(values.get("clients"))
    assert ("sessions" in found["cache"]["tables"]) == (values is EVERYTHING)


def test_nodes_find_each_other_before_any_is_ready(tmp_path):
    objects = render(tmp_path)
    found = settings(tmp_path, objects)["cluster"]["nodes"]
    assert found == [f"set-{number}.set-peers.data.svc:8501" for number in range(3)]
    service, nodes = objects["Service", "set-peers"]["spec"], objects["StatefulSet", "set"]["spec"]
    assert nodes["serviceName"] == "set-peers"
    assert service["clusterIP"] == "None" and service["publishNotReadyAddresses"]
    # The first would wait for the second, which would not be there before the first is ready.
    assert nodes["podManagementPolicy"] == "Parallel"


def test_growing_restarts_nobody(tmp_path):
    three, five = render(tmp_path), render(tmp_path, {"replicas": 5})
    assert three["ConfigMap", "set"] == five["ConfigMap", "set"]
    assert pod(three) == pod(five)
    assert five["StatefulSet", "set"]["spec"]["replicas"] == 5


def test_a_single_node_lists_itself_only(tmp_path):
    objects = render(tmp_path, {"replicas": 1})
    assert settings(tmp_path, objects)["cluster"]["nodes"] == ["set-0.set-peers.data.svc:8501"]


def test_new_settings_restart_the_nodes(tmp_path):
    def annotations(values):
        return render(tmp_path, values)["StatefulSet", "set"]["spec"]["template"]["metadata"]["annotations"]

    assert annotations({}) == annotations({"storage": {"size": "60Gi"}})
    assert annotations({}) != annotations({"cacheBytes": "2GiB"})


@pytest.mark.parametrize("values", [{}, TLS], ids=["plain", "tls"])
def test_ports_agree(tmp_path, values):
    objects = render(tmp_path, values)
    opened = ports(settings(tmp_path, objects))
    assert {one["name"]: one["containerPort"] for one in container(objects)["ports"]} == opened
    for name in ("set", "set-peers"):
        for one in objects["Service", name]["spec"]["ports"]:
            assert (one["targetPort"], one["port"]) in opened.items()
    exposed = [one["targetPort"] for name in ("set", "set-peers") for one in objects["Service", name]["spec"]["ports"]]
    assert sorted(exposed) == sorted(opened)
    for probe in ("readinessProbe", "livenessProbe"):
        assert container(objects)[probe]["httpGet"]["port"] in opened


def let_in(objects, port):
    """Who may reach a port by the policy. Somebody who is not said is everybody."""
    rules = objects["NetworkPolicy", "set"]["spec"]["ingress"]
    return [rule["from"] for rule in rules if port in [one["port"] for one in rule["ports"]]]


def test_only_nodes_speak_to_nodes_and_only_monitoring_to_admin(tmp_path):
    plain, all_on = render(tmp_path), render(tmp_path, EVERYTHING)
    labels = plain["StatefulSet", "set"]["spec"]["selector"]["matchLabels"]
    assert pod_labels(plain) == labels
    for objects in (plain, all_on):
        assert let_in(objects, "peer") == [[{"podSelector": {"matchLabels": labels}}]]
        for rule in objects["NetworkPolicy", "set"]["spec"]["ingress"]:
            assert rule["from"], "an empty list of sources lets everybody in"
    assert let_in(plain, "admin") == []
    assert let_in(all_on, "admin") == [EVERYTHING["networkPolicy"]["monitoring"]]
    assert let_in(all_on, "http") == [] and len(let_in(all_on, "https")) == 1
    nobody = render(tmp_path, {"networkPolicy": {"clients": []}})
    assert let_in(nobody, "http") == []


def pod_labels(objects):
    return objects["StatefulSet", "set"]["spec"]["template"]["metadata"]["labels"]


def test_one_node_is_lost_at_a_time_and_one_with_a_zone(tmp_path):
    objects = render(tmp_path)
    assert objects["PodDisruptionBudget", "set"]["spec"]["maxUnavailable"] == 1
    (spread,) = pod(objects)["topologySpreadConstraints"]
    assert spread["topologyKey"] == "topology.kubernetes.io/zone"
    assert (spread["maxSkew"], spread["minDomains"], spread["whenUnsatisfiable"]) == (1, 3, "DoNotSchedule")
    (apart,) = pod(objects)["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert apart["topologyKey"] == "kubernetes.io/hostname"
    for selector in (spread, apart, {"labelSelector": objects["PodDisruptionBudget", "set"]["spec"]["selector"]}):
        assert selector["labelSelector"]["matchLabels"] == pod_labels(objects)


@pytest.mark.parametrize("drain", [20, 300])
def test_a_node_gives_notice_and_has_the_time_it_takes_to_stop(tmp_path, drain):
    objects = render(tmp_path, {"drainSeconds": drain})
    found = settings(tmp_path, objects)
    assert notice(found) >= ASKED_AGAIN_SECONDS
    before = container(objects)["lifecycle"]["preStop"]["sleep"]["seconds"]
    grace = pod(objects)["terminationGracePeriodSeconds"]
    assert grace >= before + longest_stop(found) + 5


def test_the_process_may_do_nothing_it_need_not(tmp_path):
    objects = render(tmp_path)
    assert pod(objects)["securityContext"]["runAsNonRoot"] and not pod(objects)["automountServiceAccountToken"]
    mine = container(objects)["securityContext"]
    assert mine["readOnlyRootFilesystem"] and not mine["allowPrivilegeEscalation"]
    assert mine["capabilities"] == {"drop": ["ALL"]}
    writable = [one["mountPath"] for one in container(objects)["volumeMounts"] if not one.get("readOnly")]
    assert writable == [settings(tmp_path, objects)["store"]["data"]]


def test_what_settings_name_is_mounted(tmp_path):
    objects = render(tmp_path, EVERYTHING)
    mounted = [one["mountPath"] for one in container(objects)["volumeMounts"]]
    text = objects["ConfigMap", "set"]["data"]["forebay.toml"]
    named = re.findall(r'"(/etc/[^"]+)/[^"/]+"', text)
    assert len(named) == 7 and set(named) <= set(mounted)


def test_memory_holds_the_caches_and_the_engine(tmp_path):
    objects = render(tmp_path)
    found = settings(tmp_path, objects)
    mib = 1024 * 1024
    cache = int(found["cache"]["cache_bytes"].removesuffix("GiB")) * 1024 * mib
    engine = found["store"]["engine"]["block_cache_bytes"] + found["store"]["engine"]["write_buffers_bytes"]
    limit = int(container(objects)["resources"]["limits"]["memory"].removesuffix("Gi")) * 1024 * mib
    assert limit >= 1.25 * cache + engine + 512 * mib
    assert container(objects)["resources"]["requests"]["memory"] == container(objects)["resources"]["limits"]["memory"]


def test_the_probes_ask_what_a_node_answers(tmp_path, admin):
    for probe in ("readinessProbe", "livenessProbe"):
        path = container(render(tmp_path))[probe]["httpGet"]["path"]
        with urllib.request.urlopen(admin + path, timeout=10) as answer:
            assert answer.status == 200


def test_metrics_are_looked_for_where_they_are(tmp_path, admin):
    objects = render(tmp_path, EVERYTHING)
    monitor = objects["ServiceMonitor", "set"]
    (endpoint,) = monitor["spec"]["endpoints"]
    service = objects["Service", "set-peers"]
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= service["metadata"]["labels"].items()
    assert not wanted.items() <= objects["Service", "set"]["metadata"]["labels"].items(), "each node once"
    assert endpoint["port"] in [one["name"] for one in service["spec"]["ports"]]
    with urllib.request.urlopen(admin + endpoint["path"], timeout=10) as answer:
        assert b"forebay_process_uptime_seconds" in answer.read()
