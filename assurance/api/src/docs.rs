//! Checks of the documentation: providers are found by common names, and the front page links to every module and
//! main type.

use std::{collections::BTreeSet, error::Error, fs};

use rustdoc_types::{Attribute, Crate, Item, ItemEnum, Visibility};

/// Search terms, and the types that they must find.
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
        let mut items = docs.index.values();
        let is_found = items.any(|item| is_found(item, expected, search));
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

/// Returns `true` if the search finds this type by its name or by an alias. An alias must be where
/// the type is shown: rustdoc forgets that of a type that is re-exported from a private module.
fn is_found(item: &Item, expected: &str, search: &str) -> bool {
    let (name, is_shown) = match &item.inner {
        ItemEnum::Struct(_) => (item.name.as_deref(), !OWN.contains(&expected)),
        ItemEnum::Use(reexport) => (Some(&*reexport.name), true),
        _ => return false,
    };
    let is_name = search.len() > 3 && expected.to_lowercase().contains(search);
    let alias = format!("alias = \"{search}\"");
    let mut attributes = item.attrs.iter();
    let is_alias = attributes.any(|attribute| match attribute {
        Attribute::Other(text) => text.to_lowercase().contains(&alias),
        _ => false,
    });
    name == Some(expected) && (is_name || is_shown && is_alias)
}

/// Types of private modules, which have aliases.
const OWN: [&str; 8] = [
    "AzureEventGrid",
    "Meta",
    "MicrosoftGraph",
    "SharedToken",
    "StandardWebhooks",
    "WebSub",
    "WebexContactCenter",
    "Worldline",
];
