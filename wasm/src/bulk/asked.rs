//! The options of a client, read: what the server is asked for, how the client behaves, what lines have to pass.

use fhirehose_core::client::json::{self, Kind, Node};
use fhirehose_core::client::{Enforce, Level, Method, Order, Settings, Spelling, asks_for_elements, received};
use fhirehose_core::partition::Limits;
use fhirehose_core::problem::{Problem, Problems};
use fhirehose_core::request::Request;

use crate::fault;
use crate::group::has_group;
use crate::plan::Plan;
use crate::request;

/// What a client begins with.
pub(super) enum Begun {
    /// A kick-off.
    Order(Box<Order>),
    /// A job that was begun elsewhere.
    Job { status_url: String, base: String },
}

/// Options, read.
pub(super) struct Asked {
    pub(super) begun: Begun,
    pub(super) settings: Settings,
    pub(super) plan: Option<Plan>,
}

/// Reads options. Their shape is the TypeScript side's business; what is missing has its default.
pub(super) fn read(text: &str) -> Result<Asked, String> {
    let document = json::parse(text.as_bytes()).map_err(|fault| fault::plain("argument", &fault.to_string()))?;
    let options = Options(document.root());
    let base = options.text("base").unwrap_or_default();
    let group = options.text("group");
    let asked = options.0.get("request").map_or("{}", Node::raw);
    let mut asked = request::read_all(asked).map_err(|unread| unread.told())?;
    let request = &mut asked.request;
    if has_group(request.cohort.as_ref()) {
        let problem = Problem::whole("group", "", "a client takes the group as its `level`");
        return Err(fault::of_problems(&Problems(vec![problem])));
    }
    request.fhir_base.get_or_insert_with(|| base.clone());
    if let Some(cohort) = &mut request.cohort {
        cohort.group.clone_from(&group);
    }
    // Each file of the server becomes one of the output.
    if asked.limits != Limits::default() {
        let message = "a client leaves files as the server has divided them; filterFiles divides them anew";
        let problem = Problem::whole("max-bytes", "", message);
        return Err(fault::of_problems(&Problems(vec![problem])));
    }
    let enforce = match options.text("enforce").as_deref() {
        Some("always") => Enforce::Always,
        Some("never") => Enforce::Never,
        _ => Enforce::Auto,
    };
    let compiled = received(&asked.request, &asked.registry, enforce);
    let compiled = compiled.map_err(|problems| fault::of_problems(&problems))?;
    let begun = match options.text("job") {
        Some(status_url) => Begun::Job { status_url, base },
        None => Begun::Order(Box::new(options.order(base, group, &asked.request, compiled.is_some()))),
    };
    Ok(Asked {
        begun,
        settings: options.settings(),
        plan: compiled.map(|compiled| Plan { asked, compiled }),
    })
}

struct Options<'d>(Node<'d>);

impl Options<'_> {
    fn text(&self, name: &str) -> Option<String> {
        Some(self.0.get(name)?.text()?.into_owned())
    }

    fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Node::boolean).unwrap_or_default()
    }

    fn whole(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.whole()
    }

    /// The members of an object whose values are texts.
    fn pairs(&self, name: &str) -> Vec<(String, String)> {
        let object = self.0.get(name).filter(|node| node.kind() == Kind::Object);
        let members = object.into_iter().flat_map(Node::members);
        let pair = |member: json::Member<'_>| Some((member.name.into_owned(), member.value.text()?.into_owned()));
        members.filter_map(pair).collect()
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let items = self.0.get(name).into_iter().flat_map(Node::items);
        items.filter_map(|item| Some(item.text()?.into_owned())).collect()
    }

    fn order(&self, base: String, group: Option<String>, request: &Request, is_enforced: bool) -> Order {
        let patients = request.cohort.iter().flat_map(|cohort| cohort.patients.iter());
        let patients: Vec<String> = patients.map(|id| String::from_utf8_lossy(id).into_owned()).collect();
        let is_post = !patients.is_empty() || self.text("method").as_deref() == Some("POST");
        let level = match group {
            Some(group) => Level::Group(group),
            None if self.text("level").as_deref() == Some("system") => Level::System,
            None => Level::Patient,
        };
        Order {
            base,
            level,
            method: if is_post { Method::Post } else { Method::Get },
            spelling: if self.flag("repeatLists") {
                Spelling::Repeated
            } else {
                Spelling::Commas
            },
            types: request.types.clone(),
            since: request.since.clone(),
            until: request.until.clone(),
            type_filters: request.type_filters.clone(),
            elements: if asks_for_elements(request, is_enforced) {
                request.elements.clone()
            } else {
                Vec::new()
            },
            patients,
            associated_data: request.associated_data.clone(),
            organize_by: None,
            output_format: None,
            partial: self.flag("partial"),
            lenient: self.flag("lenient"),
            further: self.pairs("parameters"),
        }
    }

    fn settings(&self) -> Settings {
        let default = Settings::default();
        let parallel = self.whole("parallel").and_then(|number| usize::try_from(number).ok());
        let attempts = self.whole("attempts").and_then(|number| u32::try_from(number).ok());
        Settings {
            has_token: self.flag("hasToken"),
            token_origins: self.texts("tokenOrigins"),
            token_across_redirects: false,
            parallel: parallel.unwrap_or(default.parallel).max(1),
            poll_first: self.whole("pollFirst").unwrap_or(default.poll_first),
            poll_most: self.whole("pollMost").unwrap_or(default.poll_most),
            retry_after_most: self.whole("retryAfterMost").unwrap_or(default.retry_after_most),
            attempts: attempts.unwrap_or(default.attempts),
            deadline: self.whole("deadline"),
            keep_job: self.flag("keepJob"),
            detach: false,
            ignore_counts: self.flag("ignoreCounts"),
        }
    }
}
