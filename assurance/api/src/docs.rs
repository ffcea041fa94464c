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
    let linked: BTreeSet<_> = root.links.values().collect();
    let ItemEnum::Module(module) = &root.inner else { return Err("the root is no module".into()) };
    let is_main = |item: &Item| match &item.inner {
        ItemEnum::Module(_) => item.visibility == Visibility::Public,
        ItemEnum::Use(reexport) => MAIN.contains(&&*reexport.name),
        _ => false,
    };
    let items = module.items.iter().map(|id| &docs.index[id]).filter(|item| is_main(item));
    let mut count = 0;
    for item in items {
        let (id, name) = match &item.inner {
            ItemEnum::Use(reexport) => (reexport.id.as_ref(), Some(&reexport.name)),
            _ => (Some(&item.id), item.name.as_ref()),
        };
        if !id.is_some_and(|id| linked.contains(id)) {
            Err(format!("the front page does not link to {name:?}"))?;
        }
        count += 1;
    }
    if count < MAIN.len() + 10 {
        Err(format!("only {count} modules and main types are at the root"))?;
    }
    Ok(())
}

/// Whether the search finds an item by its name or an alias.
fn is_named(item: &Item, search: &str) -> bool {
    let alias = format!("alias = \"{search}\"");
    let is_alias = |attribute: &Attribute| matches!(attribute, Attribute::Other(text) if text.contains(&alias));
    item.name.as_ref().is_some_and(|name| name.to_lowercase().contains(search) && search.len() > 3)
        || item.attrs.iter().any(is_alias)
}
