//! Finds what can be changed in a file: the genres of cargo-mutants.

use std::ops::Range;

use proc_macro2::{Span, TokenStream};
use syn::{
    Arm, Attribute, BinOp, Block, Expr, Macro, Pat, Signature, Token, UnOp,
    parse::{ParseStream, Parser},
    punctuated::Punctuated,
    spanned::Spanned,
    visit::{self, Visit},
};

use crate::values;

/// One change.
pub struct Mutant {
    pub file: String,
    pub line: usize,
    /// Stays when other code changes: file, function, and what is changed.
    pub name: String,
    /// The `const fn` that it is in.
    pub constant: Option<String>,
    /// Where the function stands, which falls whole if an error cannot be placed.
    pub within: Range<usize>,
}

/// A place with its changes, each an index into all mutants and the text for it.
pub enum Site {
    /// Text in place of an expression.
    Expression { range: Range<usize>, other: Vec<(usize, String)> },
    /// Statements at the beginning of a body.
    Body { at: usize, other: Vec<(usize, String)> },
    /// A guard that takes an arm away.
    Arm { at: usize, mutant: usize },
    /// The word `const` of a function, which goes unless a constant needs it.
    Const { word: Range<usize>, name: String },
}

pub struct Finder<'a> {
    file: &'a str,
    text: &'a str,
    first: usize,
    types: Vec<String>,
    functions: Vec<(String, Option<String>, Range<usize>)>,
    pub mutants: Vec<Mutant>,
    pub sites: Vec<Site>,
}

impl<'a> Finder<'a> {
    /// `first` is the number of the first mutant.
    pub fn find(file: &'a str, text: &'a str, first: usize) -> syn::Result<Self> {
        let syntax = syn::parse_file(text)?;
        let mut finder = Self {
            file,
            text,
            first,
            types: Vec::new(),
            functions: Vec::new(),
            mutants: Vec::new(),
            sites: Vec::new(),
        };
        finder.visit_file(&syntax);
        Ok(finder)
    }

    fn mutant(&mut self, span: Span, what: String) -> usize {
        let (function, within) = self
            .functions
            .last()
            .map_or_else(Default::default, |last| (last.0.clone(), last.2.clone()));
        let constant = self.functions.iter().find_map(|function| function.1.clone());
        let line = span.start().line;
        let name = format!("{}: {function}: {what}", self.file);
        self.mutants.push(Mutant { file: self.file.to_owned(), line, name, constant, within });
        self.first + self.mutants.len() - 1
    }

    fn source(&self, node: &impl Spanned) -> &'a str {
        &self.text[node.span().byte_range()]
    }

    fn function(&mut self, attributes: &[Attribute], signature: &Signature, block: &Block) {
        if left_out(attributes)
            || signature.ident == "default"
                && self.types.last().is_some_and(|name| name.starts_with("Default for"))
        {
            return;
        }
        let within = signature.span().byte_range().start..block.span().byte_range().end;
        let name = signature.ident.to_string();
        let path = self.types.last().map_or_else(|| name.clone(), |of| format!("{of}::{name}"));
        let constant = signature.constness.as_ref().map(|_| name.clone());
        if let Some(word) = &signature.constness {
            self.sites.push(Site::Const { word: word.span().byte_range(), name });
        }
        self.functions.push((path, constant, within));
        if !block.stmts.is_empty() {
            let body = short(self.source(block).trim_start_matches('{').trim_end_matches('}'));
            let other: Vec<_> = values::of_signature(signature)
                .into_iter()
                .filter(|value| *value != body)
                .map(|value| {
                    let mutant = self.mutant(signature.ident.span(), format!("return {value}"));
                    (mutant, format!("return {value};"))
                })
                .collect();
            let at = block.brace_token.span.open().byte_range().end;
            self.sites.push(Site::Body { at, other });
        }
        visit::visit_block(self, block);
        self.functions.pop();
    }

    fn expression(&mut self, node: &Expr, other: Vec<(String, String)>) {
        let shown = short(self.source(node));
        let other = other
            .into_iter()
            .map(|(what, text)| (self.mutant(node.span(), format!("{what} in `{shown}`")), text))
            .collect();
        self.sites.push(Site::Expression { range: node.span().byte_range(), other });
    }

    fn guard(&mut self, guard: &Expr) {
        if !has_let(guard) {
            let other = ["true", "false"];
            let other = other.map(|value| (format!("guard is {value}"), value.to_owned()));
            self.expression(guard, other.into());
        }
        self.visit_expr(guard);
    }
}

/// What the suite's build does not have, and tests.
fn left_out(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let Ok(list) = attribute.meta.require_list() else {
            return attribute.path().is_ident("test");
        };
        list.path.is_ident("cfg") && {
            let tokens = list.tokens.to_string().replace(' ', "");
            tokens == "test" || tokens == "doc" || tokens.starts_with("not(")
        }
    })
}

/// On one line, and not too long.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 70 {
        return line;
    }
    line.chars().take(67).chain("...".chars()).collect()
}

/// Whether a condition binds names, so that it has no value of its own.
fn has_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        Expr::Paren(inner) => has_let(&inner.expr),
        _ => false,
    }
}

fn others(operator: &BinOp) -> &'static [&'static str] {
    match operator {
        BinOp::Eq(_) => &["!="],
        BinOp::Ne(_) => &["=="],
        BinOp::And(_) => &["||"],
        BinOp::Or(_) => &["&&"],
        BinOp::Lt(_) => &["==", ">", "<="],
        BinOp::Gt(_) => &["==", "<", ">="],
        BinOp::Le(_) => &[">", "<"],
        BinOp::Ge(_) => &["<", ">"],
        BinOp::Add(_) => &["-", "*"],
        BinOp::Sub(_) => &["+", "/"],
        BinOp::Mul(_) => &["+", "/"],
        BinOp::Div(_) => &["%", "*"],
        BinOp::Rem(_) => &["/", "+"],
        BinOp::Shl(_) => &[">>"],
        BinOp::Shr(_) => &["<<"],
        BinOp::BitAnd(_) => &["|", "^"],
        BinOp::BitOr(_) => &["&", "^"],
        BinOp::BitXor(_) => &["|", "&"],
        BinOp::AddAssign(_) => &["-=", "*="],
        BinOp::SubAssign(_) => &["+=", "/="],
        BinOp::MulAssign(_) => &["+=", "/="],
        BinOp::DivAssign(_) => &["%=", "*="],
        BinOp::RemAssign(_) => &["/=", "+="],
        BinOp::ShlAssign(_) => &[">>="],
        BinOp::ShrAssign(_) => &["<<="],
        BinOp::BitAndAssign(_) => &["|=", "^="],
        BinOp::BitOrAssign(_) => &["&=", "^="],
        BinOp::BitXorAssign(_) => &["|=", "&="],
        _ => &[],
    }
}

/// `_`, or a name for whatever comes.
fn takes_all(pat: &Pat) -> bool {
    match pat {
        Pat::Wild(_) => true,
        Pat::Ident(ident) => {
            ident.subpat.is_none()
                && ident.ident.to_string().starts_with(|c: char| c.is_lowercase() || c == '_')
        }
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Trait(item) => &item.attrs,
            syn::Item::Fn(_) => return visit::visit_item(self, item),
            // Constants, types, and macros' own bodies.
            _ => return,
        };
        if !left_out(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let of = self.source(&*item.self_ty).split('<').next().unwrap_or_default().to_owned();
        let name = match &item.trait_ {
            Some((path, _)) => {
                format!("{} for {of}", self.source(path).split('<').next().unwrap_or_default())
            }
            None => of,
        };
        self.types.push(name);
        visit::visit_item_impl(self, item);
        self.types.pop();
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.types.push(item.ident.to_string());
        visit::visit_item_trait(self, item);
        self.types.pop();
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.attrs, &item.sig, block);
        }
    }

    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}

    fn visit_trait_item_const(&mut self, _: &'ast syn::TraitItemConst) {}

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_pat(&mut self, _: &'ast Pat) {}

    fn visit_type(&mut self, _: &'ast syn::Type) {}

    fn visit_generic_argument(&mut self, _: &'ast syn::GenericArgument) {}

    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}

    fn visit_expr_repeat(&mut self, node: &'ast syn::ExprRepeat) {
        self.visit_expr(&node.expr);
    }

    fn visit_expr(&mut self, node: &'ast Expr) {
        match node {
            Expr::Binary(binary) if !has_let(node) => {
                let (left, right) = (self.source(&*binary.left), self.source(&*binary.right));
                let operator = self.source(&binary.op);
                let other = others(&binary.op)
                    .iter()
                    .map(|with| {
                        (format!("{operator} is {with}"), format!("({left}) {with} ({right})"))
                    })
                    .collect();
                self.expression(node, other);
            }
            Expr::Unary(unary) if !matches!(unary.op, UnOp::Deref(_)) => {
                let operator = self.source(&unary.op);
                let inner = self.source(&*unary.expr);
                self.expression(node, vec![(format!("no {operator}"), format!("({inner})"))]);
            }
            _ => {}
        }
        visit::visit_expr(self, node);
    }

    fn visit_expr_match(&mut self, node: &'ast syn::ExprMatch) {
        self.visit_expr(&node.expr);
        let all = node.arms.iter().rposition(|arm| takes_all(&arm.pat));
        for (n, arm) in node.arms.iter().enumerate() {
            let Arm { pat, body, .. } = arm;
            match pat {
                Pat::Guard(guarded) => self.guard(&guarded.guard),
                _ if all.is_some_and(|all| n < all) => {
                    let what = format!("no arm `{}`", short(self.source(pat)));
                    let mutant = self.mutant(pat.span(), what);
                    self.sites.push(Site::Arm { at: pat.span().byte_range().end, mutant });
                }
                _ => {}
            }
            self.visit_expr(body);
        }
    }

    fn visit_macro(&mut self, node: &'ast Macro) {
        let name = node.path.segments.last().map(|segment| segment.ident.to_string());
        let tokens = node.tokens.clone();
        match name.as_deref() {
            Some("matches") => self.matches(tokens),
            Some("assert" | "debug_assert" | "ready" | "vec") => {
                let list = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens);
                for argument in list.iter().flatten() {
                    self.visit_expr(argument);
                }
            }
            _ => {}
        }
    }
}

impl Finder<'_> {
    fn matches(&mut self, tokens: TokenStream) {
        let parser = |input: ParseStream<'_>| {
            let expr: Expr = input.parse()?;
            input.parse::<Token![,]>()?;
            Pat::parse_multi_with_leading_vert(input)?;
            let guard = if input.parse::<Option<Token![if]>>()?.is_some() {
                Some(input.parse::<Expr>()?)
            } else {
                None
            };
            input.parse::<Option<Token![,]>>()?;
            Ok((expr, guard))
        };
        if let Ok((expr, guard)) = Parser::parse2(parser, tokens) {
            self.visit_expr(&expr);
            if let Some(guard) = guard {
                self.guard(&guard);
            }
        }
    }
}
