//! Verifies and signs what `scripts/differential.py` writes to it.
//!
//! In: batches of records. Out: one record for each. A number is a little-endian `u32`, a field is
//! its length and its bytes, a record the number of its fields and those, a batch the number of its
//! records and those. A batch is read to its end before the first answer is written.

use std::{
    error::Error,
    io::{self, BufReader, BufWriter, Read, Write},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, request::Parts};
use tower_webhook::{
    PublicUrl, Secret,
    providers::{self, StandardWebhooks},
    sign::{Sign, Signing},
    verifier::verify_at,
};

type Fields = Vec<Vec<u8>>;

fn main() -> io::Result<()> {
    let (mut input, mut output) =
        (BufReader::new(io::stdin().lock()), BufWriter::new(io::stdout().lock()));
    loop {
        let count = match read_number(&mut input) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        let records =
            (0..count).map(|_| read_record(&mut input)).collect::<io::Result<Vec<_>>>()?;
        for record in records {
            let answer = answer(record).unwrap_or_else(|error| vec![error.to_string().into()]);
            write_number(&mut output, answer.len())?;
            for field in answer {
                write_number(&mut output, field.len())?;
                output.write_all(&field)?;
            }
        }
        output.flush()?;
    }
}

/// `ok` and what was made, or why not.
fn answer(record: Fields) -> Result<Fields, Box<dyn Error>> {
    let mut fields = record.into_iter();
    let mut next = || fields.next().ok_or("a field is missing");
    let (what, provider, secret) = (next()?, text(next()?)?, next()?);
    let (origin, seconds) = (text(next()?)?, text(next()?)?);
    let (method, target, body) = (next()?, next()?, Bytes::from(next()?));

    let url = (!origin.is_empty()).then(|| PublicUrl::base(&origin)).transpose()?;
    let time = UNIX_EPOCH + Duration::from_secs(seconds.parse()?);
    let secret = text(secret)?;
    // What no provider's page shows goes by its bytes.
    let secret = Secret::new(&*secret).or_else(|_| Secret::from_bytes(secret))?;
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = Method::from_bytes(&method)?;
    head.uri = Uri::try_from(target)?;
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        head.headers.append(HeaderName::from_bytes(&name)?, HeaderValue::from_bytes(&value)?);
    }

    if what == b"sign" {
        let signed = sign(&provider, secret, url, &mut head, &body, time)?.unwrap_or(body);
        let mut answer = vec![b"ok".to_vec(), head.uri.to_string().into_bytes(), signed.into()];
        for (name, value) in &head.headers {
            answer.extend([name.as_str().into(), value.as_bytes().into()]);
        }
        return Ok(answer);
    }
    let provider = providers::by_name(&provider)?;
    let verifier = match url {
        Some(url) => provider.verifier_at(secret, url)?,
        None => provider.verifier(secret)?,
    };
    verify_at(&verifier, &head, &body, time)?;
    Ok(vec![b"ok".to_vec()])
}

/// Adds a signature to the head, or returns the body with it.
fn sign(
    provider: &str,
    secret: Secret,
    url: Option<PublicUrl>,
    head: &mut Parts,
    body: &[u8],
    time: SystemTime,
) -> Result<Option<Bytes>, Box<dyn Error>> {
    let with = &Signing::at(time);
    if provider == "svix" {
        return Ok(StandardWebhooks::SVIX_SCHEME.verifier(secret)?.sign(head, body, with)?);
    }
    let provider = providers::by_name(provider)?;
    let signer = match url {
        Some(url) => provider.verifier_at(secret, url)?,
        None => provider.verifier(secret)?,
    };
    Ok(signer.sign(head, body, with)?)
}

fn text(bytes: Vec<u8>) -> Result<String, std::string::FromUtf8Error> {
    String::from_utf8(bytes)
}

fn read_record(input: &mut impl Read) -> io::Result<Fields> {
    let count = read_number(input)?;
    (0..count)
        .map(|_| {
            let mut field = vec![0; read_number(input)?];
            input.read_exact(&mut field)?;
            Ok(field)
        })
        .collect()
}

fn read_number(input: &mut impl Read) -> io::Result<usize> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes) as usize)
}

fn write_number(output: &mut impl Write, number: usize) -> io::Result<()> {
    let number = u32::try_from(number).map_err(io::Error::other)?;
    output.write_all(&number.to_le_bytes())
}
