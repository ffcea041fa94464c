//! What stands in for a function's body: values that its return type has.

use syn::{GenericArgument, PathArguments, ReturnType, Signature, Type, spanned::Spanned};

/// The values for `signature`, as source text.
pub fn of_signature(signature: &Signature) -> Vec<String> {
    let mut values = match &signature.output {
        ReturnType::Default => vec!["()".to_owned()],
        ReturnType::Type(_, ty) => of_type(ty),
    };
    // A builder's method that sets nothing.
    let own = signature.receiver().is_some_and(|receiver| receiver.reference_is_none());
    if own
        && matches!(&signature.output, ReturnType::Type(_, ty) if last(ty).is_some_and(|(name, _)| name == "Self"))
    {
        values.push("self".to_owned());
    }
    values.dedup();
    values
}

trait ByValue {
    fn reference_is_none(&self) -> bool;
}

impl ByValue for syn::Receiver {
    fn reference_is_none(&self) -> bool {
        self.span().source_text().is_some_and(|text| !text.contains('&') && !text.contains(':'))
    }
}

/// The last segment of a path type, and its type arguments.
fn last(ty: &Type) -> Option<(String, Vec<&Type>)> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last()?;
    let arguments = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    Some((segment.ident.to_string(), arguments))
}

fn of_type(ty: &Type) -> Vec<String> {
    match ty {
        Type::Never(_) => Vec::new(),
        Type::Paren(inner) => of_type(&inner.elem),
        Type::Group(inner) => of_type(&inner.elem),
        Type::Tuple(tuple) => of_tuple(tuple.elems.iter()),
        Type::Array(array) => each(&array.elem, |value| {
            format!("[{value}; {}]", array.len.span().source_text().unwrap_or_default())
        }),
        Type::Reference(reference) => of_reference(reference),
        Type::Path(_) => of_path(ty),
        _ => default(),
    }
}

fn default() -> Vec<String> {
    vec!["Default::default()".to_owned()]
}

fn each(ty: &Type, with: impl Fn(String) -> String) -> Vec<String> {
    of_type(ty).into_iter().map(with).collect()
}

/// One place changed at a time would be many; the n-th values of all places will do.
fn of_tuple<'a>(types: impl Iterator<Item = &'a Type>) -> Vec<String> {
    let places: Vec<Vec<String>> = types.map(of_type).collect();
    if places.is_empty() {
        return vec!["()".to_owned()];
    }
    let longest = places.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest)
        .filter_map(|n| {
            let values: Option<Vec<&str>> = places
                .iter()
                .map(|values| values.get(n).or(values.last()).map(String::as_str))
                .collect();
            values.map(|values| format!("({},)", values.join(", ")))
        })
        .collect()
}

fn of_reference(reference: &syn::TypeReference) -> Vec<String> {
    match &*reference.elem {
        Type::Path(path) if path.path.is_ident("str") && reference.mutability.is_none() => {
            vec!["\"\"".to_owned(), "\"xyzzy\"".to_owned()]
        }
        Type::Slice(slice) => {
            let mut values = vec!["Vec::leak(Vec::new())".to_owned()];
            values.extend(each(&slice.elem, |value| format!("Vec::leak(vec![{value}])")));
            values
        }
        elem => each(elem, |value| format!("Box::leak(Box::new({value}))")),
    }
}

fn of_path(ty: &Type) -> Vec<String> {
    let Some((name, arguments)) = last(ty) else { return default() };
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    match (name.as_str(), &arguments[..]) {
        ("bool", _) => texts(&["true", "false"]),
        ("u8" | "u16" | "u32" | "u64" | "u128" | "usize", _) => texts(&["0", "1"]),
        ("i8" | "i16" | "i32" | "i64" | "i128" | "isize", _) => texts(&["0", "1", "-1"]),
        ("f32" | "f64", _) => texts(&["0.0", "1.0", "-1.0"]),
        ("char", _) => texts(&["'x'"]),
        ("String", _) => texts(&["String::new()", "\"xyzzy\".into()"]),
        ("Option", [of]) => {
            let mut values = texts(&["None"]);
            values.extend(each(of, |value| format!("Some({value})")));
            values
        }
        ("Vec", [of]) => {
            let mut values = texts(&["vec![]"]);
            values.extend(each(of, |value| format!("vec![{value}]")));
            values
        }
        ("Result", [of, ..]) => each(of, |value| format!("Ok({value})")),
        ("Result", []) => texts(&["Ok(Default::default())"]),
        ("Poll", [of]) => {
            let mut values = texts(&["::std::task::Poll::Pending"]);
            values.extend(each(of, |value| format!("::std::task::Poll::Ready({value})")));
            values
        }
        ("Box" | "Arc" | "Rc", [of]) if !matches!(of, Type::TraitObject(_) | Type::Slice(_)) => {
            each(of, |value| format!("{name}::new({value})"))
        }
        ("Cow", [Type::Path(of)]) if of.path.is_ident("str") => texts(&[
            "::std::borrow::Cow::Borrowed(\"\")",
            "::std::borrow::Cow::Borrowed(\"xyzzy\")",
        ]),
        ("Bytes", []) => texts(&["Default::default()", "Bytes::from_static(b\"xyzzy\")"]),
        _ => default(),
    }
}
