use super::*;
use crate::identity::fixtures;

fn network() -> NetworkFacts {
    fixtures::facts(&fixtures::network("demo", 3))
}

fn claims() -> Claims {
    Claims {
        audiences: vec!["demo.default.peerwright.internal/certify".into()],
        namespace: "default".into(),
        service_account: "demo".into(),
        pod_name: "demo-peer-2".into(),
        pod_uid: "pod-uid".into(),
    }
}

fn pod() -> PodFacts {
    PodFacts {
        name: "demo-peer-2".into(),
        uid: "pod-uid".into(),
        deleting: false,
        service_account: "demo".into(),
        controller: Some(set("set-uid", Some("demo-uid"))),
        claim_uid: Some("claim-uid".into()),
    }
}

fn set(live_uid: &str, controller_uid: Option<&str>) -> ControllerFacts {
    ControllerFacts::StatefulSet {
        referenced_uid: "set-uid".into(),
        live: Some(StatefulSetFacts {
            name: "demo-peer".into(),
            uid: live_uid.into(),
            controller_uid: controller_uid.map(str::to_owned),
        }),
    }
}

#[test]
fn pod_of_the_networks_stateful_set_is_a_member() {
    let member = authorize(&claims(), Some(&pod()), &network());

    let expected =
        Member { pod: "demo-peer-2".into(), group: "peer".into(), ordinal: 2, claim_uid: "claim-uid".into() };
    assert_eq!(member, Ok(expected));
}

#[test]
fn each_broken_rule_has_its_refusal() {
    type Case = (&'static str, Refusal, fn(&mut Claims, &mut Option<PodFacts>, &mut NetworkFacts));
    let cases: &[Case] = &[
        ("the network is being deleted", Refusal::NetworkUnknown, |_, _, n| n.deleting = true),
        ("no audience", Refusal::AudienceMismatch, |c, _, _| c.audiences.clear()),
        ("the REST audience", Refusal::AudienceMismatch, |c, _, _| {
            c.audiences = vec!["demo.default.peerwright.internal".into()];
        }),
        ("another network's audience", Refusal::AudienceMismatch, |_, _, n| {
            n.certify_audience = "other/certify".into();
        }),
        ("another namespace", Refusal::NotAMember, |c, _, _| c.namespace = "elsewhere".into()),
        ("no such pod", Refusal::PodGone, |_, p, _| *p = None),
        ("another pod of that name", Refusal::PodGone, |_, p, _| with(p, |p| p.uid = "newer".into())),
        ("another pod's facts", Refusal::PodGone, |c, _, _| c.pod_name = "demo-peer-1".into()),
        ("the pod is being deleted", Refusal::PodDeleting, |_, p, _| with(p, |p| p.deleting = true)),
        ("a token of another account", Refusal::ServiceAccountMismatch, |c, _, _| {
            c.service_account = "default".into();
        }),
        ("a pod of another account", Refusal::ServiceAccountMismatch, |_, p, _| {
            with(p, |p| p.service_account = "default".into());
        }),
        ("no controller", Refusal::NotAMember, |_, p, _| with(p, |p| p.controller = None)),
        ("controlled by a Job", Refusal::NotAMember, |_, p, _| {
            with(p, |p| p.controller = Some(ControllerFacts::Other));
        }),
        ("the set is gone", Refusal::NotAMember, |_, p, _| {
            with(p, |p| {
                p.controller = Some(ControllerFacts::StatefulSet { referenced_uid: "set-uid".into(), live: None });
            });
        }),
        ("the set was made anew", Refusal::NotAMember, |_, p, _| {
            with(p, |p| p.controller = Some(set("newer", Some("demo-uid"))));
        }),
        ("a set of another network", Refusal::NotAMember, |_, p, _| {
            with(p, |p| p.controller = Some(set("set-uid", Some("other-net"))));
        }),
        ("a set of nobody", Refusal::NotAMember, |_, p, _| {
            with(p, |p| p.controller = Some(set("set-uid", None)));
        }),
        ("a set that no group names", Refusal::NotAMember, |_, _, n| n.groups.clear()),
        ("a name that the set does not give", Refusal::NotAMember, |c, p, _| {
            c.pod_name = "demo-peer-02".into();
            with(p, |p| p.name = "demo-peer-02".into());
        }),
        ("an ordinal past the replicas", Refusal::OrdinalOutOfRange, |_, _, n| n.groups[0].replicas = 2),
        ("no volume claim", Refusal::NotAMember, |_, p, _| with(p, |p| p.claim_uid = None)),
    ];
    for (name, refusal, break_it) in cases {
        let (mut claims, mut pod, mut network) = (claims(), Some(pod()), network());
        break_it(&mut claims, &mut pod, &mut network);

        assert_eq!(authorize(&claims, pod.as_ref(), &network), Err(*refusal), "{name}");
    }
}

fn with(pod: &mut Option<PodFacts>, change: impl FnOnce(&mut PodFacts)) {
    change(pod.as_mut().expect("a pod"));
}
