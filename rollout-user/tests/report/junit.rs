//! JUnit XML of a report: well-formed whatever the names are, counts that add up, failures where a pipeline looks for them.

use crate::hostile::poisoned;
use crate::scenarios::{blog, clean, cut_short, gap, listener_first, lost, rolled_back};
use crate::world::World;
use rollout::analyse::explain;
use rollout::analyse::report::Report;
use rollout::analyse::report::verdict::Finding;
use rollout::present::{junit, text};
use roxmltree::{Document, Node};

fn number(node: Node<'_, '_>, name: &str) -> usize {
    node.attribute(name).and_then(|text| text.parse().ok()).expect(name)
}

fn children<'a, 'b>(node: Node<'a, 'b>, name: &str) -> Vec<Node<'a, 'b>> {
    node.children().filter(|child| child.has_tag_name(name)).collect()
}

/// Name, kind (`failure`, `skipped` or nothing) and message of each case, after the counts were checked.
fn cases(xml: &str) -> Vec<(String, String, String)> {
    let document = Document::parse(xml).expect("well-formed");
    let root = document.root_element();
    assert!(root.has_tag_name("testsuites"));
    let suites = children(root, "testsuite");
    assert_eq!(suites.len(), 1, "one suite an update");
    let cases = children(suites[0], "testcase");
    for (attribute, element) in
        [("tests", None), ("failures", Some("failure")), ("skipped", Some("skipped"))]
    {
        let with = |case: &&Node<'_, '_>| {
            element.is_none_or(|element| !children(**case, element).is_empty())
        };
        let count = cases.iter().filter(with).count();
        assert_eq!(number(suites[0], attribute), count, "{attribute}");
        assert_eq!(number(root, attribute), count, "{attribute}");
    }
    assert_eq!((number(root, "errors"), number(suites[0], "errors")), (0, 0));
    let kind = |case: &Node<'_, '_>| {
        case.children().find(Node::is_element).map(|child| {
            let message = child.attribute("message").expect("a message");
            (child.tag_name().name().to_owned(), message.to_owned())
        })
    };
    cases
        .iter()
        .map(|case| {
            let (kind, message) = kind(case).unwrap_or_default();
            assert!(case.attribute("classname").expect("a class").starts_with("rollout"));
            assert!(case.attribute("time").is_some_and(|time| time.parse::<f64>().is_ok()));
            (case.attribute("name").expect("a name").to_owned(), kind, message)
        })
        .collect()
}

fn reports() -> Vec<Report> {
    let worlds: [fn() -> World; 7] =
        [blog, clean, cut_short, gap, listener_first, lost, rolled_back];
    worlds.iter().map(|world| explain(&world().records)).collect()
}

#[test]
fn a_pipeline_is_red_exactly_when_the_exit_code_is() {
    for report in reports() {
        let cases = cases(&junit::render(&report));
        let red = cases.iter().any(|(_, kind, _)| kind == "failure");
        assert_eq!(red, report.verdict.exit_code != 0, "{cases:?}");
        let find = |name: &str| cases.iter().find(|case| case.0 == name).expect(name).clone();
        let (_, verdict, message) = find("no connection failed or was slowed");
        let wanted = match report.verdict.result {
            Finding::Clean => "",
            Finding::Failures => "failure",
            Finding::Inconclusive => "skipped",
        };
        assert_eq!(verdict, wanted);
        assert_eq!(
            message,
            if wanted.is_empty() { String::new() } else { text::sentence(&report) }
        );
        let causes: Vec<_> = cases.iter().filter(|case| case.0.starts_with("cause: ")).collect();
        assert_eq!(causes.len(), report.causes.len());
        assert!(causes.iter().all(|case| case.1 == "failure"));
        let (_, whole, _) = find("the update was seen whole");
        assert_eq!(whole.is_empty(), report.verdict.doubts.is_empty());
    }
}

#[test]
fn a_cause_that_cost_nobody_anything_makes_nothing_red() {
    let mut report = explain(&clean().records);
    report.causes = explain(&blog().records).causes;
    let cases = cases(&junit::render(&report));
    assert!(cases.len() > 2 && cases.iter().all(|case| case.1 != "failure"), "{cases:?}");
}

#[test]
fn the_document_is_as_reviewed() {
    let xml = junit::render(&explain(&blog().records));
    let (head, rest) = xml.split_once("<system-out>").expect("the text");
    let (_, tail) = rest.split_once("</system-out>").expect("its end");
    crate::lines::insta_here(|| {
        insta::assert_snapshot!("report_junit", format!("{head}<system-out>…</system-out>{tail}"));
    });
}

#[test]
fn the_text_report_is_its_output() {
    let report = explain(&gap().records);
    let xml = junit::render(&report);
    let document = Document::parse(&xml).expect("well-formed");
    let output = document.descendants().find(|node| node.has_tag_name("system-out"));
    let output = output.and_then(|node| node.text()).expect("text");
    assert_eq!(output, text::render(&report, text::Options::default()));
}

#[test]
fn hostile_names_leave_it_well_formed() {
    let mut records = poisoned();
    let evil = "]]></system-out><testcase name=\"x\"/>&\u{fffe}\0";
    for record in &mut records {
        if let rollout::record::Body::Header(header) = &mut record.body {
            header.node.push_str(evil);
            if let Some(target) = &mut header.target {
                target.name = evil.into();
            }
        }
    }
    let xml = junit::render(&explain(&records));
    let names = cases(&xml);
    assert!(names.len() >= 2 && names.iter().all(|(name, ..)| name != "x"), "{names:?}");
    assert!(xml.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn a_recording_without_an_update_is_a_suite_too() {
    let mut world = World::watching(1);
    world.phase(4_000_000, rollout::record::meta::Phase::Ended);
    let cases = cases(&junit::render(&explain(&world.records)));
    assert_eq!(cases.iter().filter(|case| case.1 == "failure").count(), 1, "{cases:?}");
}
