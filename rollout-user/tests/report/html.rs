//! The report as HTML: nothing is loaded or run, names cannot become markup, links lead somewhere, the size is bounded.

use crate::hostile::poisoned;
use crate::scenarios::{blog, clean, cut_short, fifty, gap, listener_first, lost, rolled_back};
use crate::world::*;
use base64::prelude::{BASE64_STANDARD, Engine};
use rollout::analyse::explain;
use rollout::analyse::report::Report;
use rollout::present::{html, text};
use rollout::record::Body;
use roxmltree::{Document, Node};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The page without its head, which holds elements that have no end.
fn body(page: &str) -> &str {
    let from = page.find("<body>").expect("a body");
    let to = page.rfind("</body>").expect("its end");
    &page[from..to + "</body>".len()]
}

fn reports() -> Vec<Report> {
    let worlds: [fn() -> World; 8] =
        [blog, clean, cut_short, fifty, gap, listener_first, lost, rolled_back];
    worlds.iter().map(|world| explain(&world().records)).collect()
}

fn classes<'a>(document: &'a Document<'_>, class: &str) -> Vec<Node<'a, 'a>> {
    let has = |node: &Node<'_, '_>| {
        node.attribute("class").is_some_and(|all| all.split(' ').any(|one| one == class))
    };
    document.descendants().filter(has).collect()
}

#[test]
fn the_policy_allows_the_style_sheet_and_nothing_else() {
    let page = html::render(&explain(&blog().records));
    let style = page.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next());
    let hash = Sha256::digest(style.expect("a style sheet"));
    let hash = format!("sha256-{}", BASE64_STANDARD.encode(hash));
    assert_eq!(html::STYLE_HASH, hash, "set `STYLE_HASH` to it");
    let policy = format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;; \
         style-src &#39;{hash}&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;\">"
    );
    let at = page.find(&policy).expect("the policy");
    assert!(at < page.find("<style>").expect("a style sheet"));
}

#[test]
fn nothing_is_loaded_or_run() {
    for report in reports() {
        let page = html::render(&report);
        for part in
            ["<script", "<link", "<img", "<iframe", "<object", "http://", "https://", "url("]
        {
            assert!(!page.contains(part), "{part}");
        }
        let document = Document::parse(body(&page)).expect("well-formed");
        for node in document.descendants() {
            for attribute in node.attributes() {
                let name = attribute.name();
                assert!(name != "style" && !name.starts_with("on"), "{name}");
                assert!(name != "href" || attribute.value().starts_with('#'), "{attribute:?}");
            }
        }
    }
}

#[test]
fn links_lead_to_what_is_on_the_page_once() {
    for report in reports() {
        let page = html::render(&report);
        let document = Document::parse(body(&page)).expect("well-formed");
        let ids: Vec<&str> =
            document.descendants().filter_map(|node| node.attribute("id")).collect();
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "ids are unique");
        for link in document.descendants().filter_map(|node| node.attribute("href")) {
            assert!(unique.contains(link.trim_start_matches('#')), "{link}");
        }
    }
}

#[test]
fn it_says_what_the_text_says() {
    for report in reports() {
        let page = html::render(&report);
        let document = Document::parse(body(&page)).expect("well-formed");
        let said = |name: &str| -> Vec<String> {
            let nodes = document.descendants().filter(|node| node.has_tag_name(name));
            let own = |node: Node<'_, '_>| {
                node.is_text().then(|| node.text().map(str::to_owned)).flatten()
            };
            let text = nodes.map(|node| node.descendants().filter_map(own).collect());
            text.collect()
        };
        assert_eq!(said("h1"), [text::sentence(&report)]);
        let titles = said("h2").join("\n");
        let plain = text::render(&report, text::Options::default());
        for title in
            ["Windows", "Failed", "Slowed", "Pods", "Before the update", "What could not be seen"]
        {
            let in_text = plain.lines().any(|line| line.starts_with(title));
            assert_eq!(titles.contains(title), in_text, "{title}");
        }
        let groups = report.failures.len() + report.slowed.len();
        assert_eq!(said("h3").len(), groups + report.causes.len());
        let rows = document.descendants().filter(|node| node.has_tag_name("tr")).count();
        assert_eq!(rows, report.pods.len() * 15, "every step of every pod");
    }
}

#[test]
fn causes_are_linked_to_their_evidence() {
    let report = explain(&blog().records);
    assert!(!report.causes.is_empty());
    let page = html::render(&report);
    let document = Document::parse(body(&page)).expect("well-formed");
    for (index, cause) in report.causes.iter().enumerate() {
        let id = format!("c{index}");
        let article = document.descendants().find(|node| node.attribute("id") == Some(&id));
        let links = article.expect("the cause").descendants().filter_map(|n| n.attribute("href"));
        let links: Vec<&str> = links.collect();
        let cited: usize = cause.signs.iter().map(|sign| sign.evidence.len()).sum();
        assert!(cited == 0 || links.iter().any(|to| to.starts_with("#p") || to.starts_with("#a")));
        if !cause.attempts.is_empty() {
            let first = format!("#a{}", cause.attempts[0]);
            assert!(links.contains(&first.as_str()), "{:?}: {links:?}", cause.name);
        }
    }
}

#[test]
fn a_cause_without_a_group_has_its_connections_on_the_page() {
    let mut report = explain(&blog().records);
    let well = report.attempts.iter().position(|attempt| !attempt.failed && !attempt.slowed);
    let well = well.expect("an attempt that went well");
    report.causes[0].attempts = vec![well];
    let page = html::render(&report);
    assert!(page.contains("Other connections that a cause cites"));
    assert!(page.contains(&format!("id=\"a{well}\"")));
}

#[test]
fn no_command_is_made_of_names_that_a_shell_could_obey() {
    let mut report = explain(&blog().records);
    assert!(html::render(&report).contains("kubectl patch deployment serv"));
    for evil in ["a'; touch x; '", "$(touch x)", "-n", "a b", ""] {
        if let Some(found) = &mut report.pre_stop {
            found.containers = vec![evil.to_owned()];
        }
        for page in [html::render(&report), text::render(&report, text::Options::default())] {
            assert!(!page.contains("kubectl patch"), "{evil}");
        }
    }
}

#[test]
fn the_picture_has_a_mark_for_each_fate_and_a_bar_for_each_window() {
    let report = explain(&blog().records);
    let page = html::render(&report);
    let document = Document::parse(body(&page)).expect("well-formed");
    let windows = report.windows.expect("windows");
    assert!(windows.unanswered.span.is_some() && windows.only_new.span.is_some());
    assert_eq!(classes(&document, "shade").len(), 3);
    assert_eq!(classes(&document, "bar").len(), 3);
    let sum = |class: &str| -> u64 {
        let marks = classes(&document, class).into_iter().filter(|node| node.has_tag_name("rect"));
        let titles = marks.filter_map(|mark| mark.parent()?.first_element_child()?.text());
        titles.filter_map(|title| title.split(' ').next()?.parse::<u64>().ok()).sum()
    };
    assert_eq!(sum("silent"), windows.unanswered.syns);
    let outside = page.split(" SYNs before or after the picture").next();
    let outside = outside.and_then(|text| text.rsplit([' ', '>']).next()?.parse::<u64>().ok());
    let all = sum("answered") + sum("refused") + sum("silent") + sum("nowhere");
    let syns: usize = report
        .attempts
        .iter()
        .filter(|a| {
            a.in_scope && a.client.kind == rollout::analyse::report::attempt::ClientKind::User
        })
        .map(|attempt| attempt.syns.len())
        .sum();
    assert_eq!(all + outside.unwrap_or(0), syns as u64, "no SYN is left out in silence");
    let steps = classes(&document, "step").into_iter().filter(|node| node.has_tag_name("g"));
    assert!(steps.count() >= 10);
}

#[test]
fn pages_are_as_reviewed() {
    for (name, world) in [("report_html_blog", blog()), ("report_html_cut_short", cut_short())] {
        let page = html::render(&explain(&world.records));
        let (head, rest) = page.split_once("<style>").expect("a style sheet");
        let (_, tail) = rest.split_once("</style>").expect("its end");
        let page = format!("{head}<style>…</style>{tail}").replace(html::STYLE_HASH, "HASH");
        crate::lines::insta_here(|| insta::assert_snapshot!(name, page));
    }
}

#[test]
fn names_cannot_become_markup() {
    let mut records = poisoned();
    let evil = "</title></svg><script>alert(1)</script><img src=x onerror=\"alert(1)\">&lt;";
    for record in &mut records {
        match &mut record.body {
            Body::Header(header) => {
                header.node.push_str(evil);
                header.version.push_str(evil);
                if let Some(target) = &mut header.target {
                    target.name.push_str(evil);
                }
            }
            Body::Pod(seen) => seen.object.meta.name.insert_str(0, evil),
            Body::Deployment(seen) => seen.object.meta.name.push_str(evil),
            Body::DataPath(path) => path.evidence.push_str(evil),
            Body::Connect(connect) => connect.comm.insert_str(0, evil),
            _ => {}
        }
    }
    let page = html::render(&explain(&records));
    assert!(page.contains("&lt;script&gt;"), "the name is shown");
    assert!(!page.contains("<script") && !page.contains("<img"));
    assert_eq!(page.matches("</title>").count(), page.matches("<title>").count());
    let document = Document::parse(body(&page)).expect("well-formed");
    assert!(document.descendants().all(|node| !node.has_tag_name("script")));
    let hostile = |c: char| c != '\n' && (c.is_control() || crate::hostile::is_invisible(c));
    assert!(!page.contains(hostile));
}

#[test]
fn the_size_is_bounded_whatever_the_traffic() {
    let size = |every_us: u64| {
        let mut world = blog();
        world.steady(2 * S, 4 * S, every_us, &[10]);
        let report = explain(&world.records);
        (report.attempts.len(), html::render(&report).len())
    };
    let (few, small) = size(20 * MS);
    let (many, large) = size(100);
    assert!(many > few + 15_000, "{many}");
    assert!(large < small + 60_000, "{small} bytes with {few} attempts, {large} with {many}");
    let page = html::render(&explain(&fifty().records));
    assert!(page.len() < 1_500_000, "{}", page.len());
}
