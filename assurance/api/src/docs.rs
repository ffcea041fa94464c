//! Whether a reader finds things: providers by the names that people use, and every module and main type from the
//! front page.

use std::{collections::BTreeSet, error::Error, fs};

use rustdoc_types::{Attribute, Crate, Item, ItemEnum, Visibility};

/// What people type into the search, and the type that they must find.
const SEARCHES: [(&str, &str); 16] = [
    ("box", "BoxCom"),
    ("facebook", "Meta"),
    ("forgejo", "Gitea"),
    ("github", "GitHub"),
    ("instagram", "Meta"),
    ("intuit", "QuickBooks"),
    ("messenger", "Meta"),
    ("outlook", "MicrosoftGraph"),
    ("salesforce", "SalesforceMarketingCloud"),
    ("shopify", "Shopify"),
    ("slack", "Slack"),
    ("stripe", "Stripe"),
    ("svix", "StandardWebhooks"),
    ("twilio", "Twilio"),
    ("whatsapp", "Meta"),
    ("x", "Twitter"),
];

/// The types that the front page must link to.
const MAIN: [&str; 11] = [
    "BufferedBody",
    "ConfigError",
    "PublicUrl",
    "Rejection",
    "RejectionKind",
    "Scheme",
    "Secret",
    "SignatureLayer",
    "Verified",
    "Verifier",
    "verify",
];

pub(crate) fn check(json: &str) -> Result<(), Box<dyn Error>> {
    let docs: Crate = serde_json::from_str(&fs::read_to_string(json)?)?;
    for (search, expected) in SEARCHES {
        let mut types =
            docs.index.values().filter(|item| matches!(item.inner, ItemEnum::Struct(_)));
        let is_found =
            types.any(|item| item.name.as_deref() == Some(expected) && is_named(item, search));
        if !is_found {
            Err(format!(
                "a search for `{search}` does not find `{expected}`: add `#[doc(alias)]`"
            ))?;
        }
    }
    let root = &docs.index[&docs.root];
    let linked: BTreeSet<_> =
        root.links.values().filter_map(|id| name(docs.index.get(id)?)).collect();
    let ItemEnum::Module(module) = &root.inner else { return Err("the root is no module".into()) };
    let items = module.items.iter().filter_map(|id| docs.index.get(id));
    let modules = items.filter(|item| {
        matches!(item.inner, ItemEnum::Module(_)) && item.visibility == Visibility::Public
    });
    let modules: Vec<_> = modules.filter_map(name).collect();
    if modules.len() < 10 {
        Err(format!("the root has only the modules {modules:?}"))?;
    }
    for wanted in modules.into_iter().chain(MAIN) {
        if !linked.contains(wanted) {
            Err(format!("the front page does not link to `{wanted}`"))?;
        }
    }
    Ok(())
}

fn name(item: &Item) -> Option<&str> {
    item.name.as_deref()
}

/// Whether the search finds an item by its name or an alias.
fn is_named(item: &Item, search: &str) -> bool {
    let alias = format!("alias = \"{search}\"");
    let is_alias = |attribute: &Attribute| matches!(attribute, Attribute::Other(text) if text.contains(&alias));
    item.name.as_ref().is_some_and(|name| name.to_lowercase().contains(search) && search.len() > 3)
        || item.attrs.iter().any(is_alias)
}
