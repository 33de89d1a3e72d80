//! Histograms as their own compressed form (HdrHistogram's V2 encoding), in base64, for `serde(with)`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer as HdrReader, Serializer as HdrWriter, V2Serializer};
use serde::{Deserialize, Deserializer, Serializer};

pub fn serialize<S: Serializer>(histogram: &Histogram<u32>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(histogram, &mut bytes).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(&STANDARD.encode(bytes))
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Histogram<u32>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
    let mut histogram: Histogram<u32> =
        HdrReader::new().deserialize(&mut bytes.as_slice()).map_err(serde::de::Error::custom)?;
    histogram.auto(true);
    Ok(histogram)
}
