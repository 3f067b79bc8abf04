//! The components that come with Sluicegate.

use sluicegate_core::{Registry, RegistryError};

/// A registry of every built-in component whose feature is switched on.
///
/// | kind | type | settings | feature |
/// |---|---|---|---|
/// | source | `parquet` | `source::ParquetConfig` | `source` |
/// | source | `csv` | `source::CsvConfig` | `source` |
/// | source | `jsonl` | `source::JsonlConfig` | `source` |
/// | source | `text` | `source::TextConfig` | `source` |
/// | source | `wav` | `source::WavConfig` | `source` |
/// | source | `copy` | `source::CopyConfig` | `source` |
/// | source | `hybrid` | `source::HybridConfig` | `source` and `kafka` |
/// | source | `kafka` | `source::KafkaConfig` | `source` and `kafka` |
/// | operator | `anomaly` | `anomaly::AnomalyConfig` | `anomaly` |
/// | operator | `forecast` | `model::ForecastConfig` | `model` |
/// | operator | `symbols` | `symbols::SymbolsConfig` | `symbols` |
/// | sink | `parquet` | `sink::ParquetConfig` | `sink` |
/// | sink | `console` | `sink::ConsoleConfig` | `sink` |
/// | sink | `kafka` | `sink::KafkaConfig` | `sink` and `kafka` |
///
/// # Errors
/// Two built-in components of one name, which would be a mistake in this crate.
pub fn default_registry() -> Result<Registry, RegistryError> {
    #[allow(unused_mut, reason = "without any feature there is nothing to add")]
    let mut registry = Registry::new();
    #[cfg(feature = "source")]
    {
        registry.source::<sluicegate_source::ParquetConfig>("parquet")?;
        registry.source::<sluicegate_source::CopyConfig>("copy")?;
        registry.source::<sluicegate_source::CsvConfig>("csv")?;
        registry.source::<sluicegate_source::JsonlConfig>("jsonl")?;
        registry.source::<sluicegate_source::TextConfig>("text")?;
        registry.source::<sluicegate_source::WavConfig>("wav")?;
        #[cfg(feature = "kafka")]
        registry.source::<sluicegate_source::KafkaConfig>("kafka")?;
        #[cfg(feature = "kafka")]
        registry.source::<sluicegate_source::HybridConfig>("hybrid")?;
    }
    #[cfg(feature = "anomaly")]
    registry.operator::<sluicegate_anomaly::AnomalyConfig>("anomaly")?;
    #[cfg(feature = "model")]
    registry.operator::<sluicegate_model::ForecastConfig>("forecast")?;
    #[cfg(feature = "symbols")]
    registry.operator::<sluicegate_symbols::SymbolsConfig>("symbols")?;
    #[cfg(feature = "sink")]
    {
        registry.sink::<sluicegate_sink::ParquetConfig>("parquet")?;
        registry.sink::<sluicegate_sink::ConsoleConfig>("console")?;
        #[cfg(feature = "kafka")]
        registry.sink::<sluicegate_sink::KafkaConfig>("kafka")?;
    }
    Ok(registry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_knows_what_is_switched_on() {
        let names: Vec<String> = default_registry()
            .unwrap()
            .components()
            .into_iter()
            .map(|component| format!("{} {}", component.kind, component.name))
            .collect();
        let expected = [
            (cfg!(feature = "source"), "source copy"),
            (cfg!(feature = "source"), "source csv"),
            (cfg!(all(feature = "source", feature = "kafka")), "source hybrid"),
            (cfg!(feature = "source"), "source jsonl"),
            (cfg!(all(feature = "source", feature = "kafka")), "source kafka"),
            (cfg!(feature = "source"), "source parquet"),
            (cfg!(feature = "source"), "source text"),
            (cfg!(feature = "source"), "source wav"),
            (cfg!(feature = "anomaly"), "operator anomaly"),
            (cfg!(feature = "model"), "operator forecast"),
            (cfg!(feature = "symbols"), "operator symbols"),
            (cfg!(feature = "sink"), "sink console"),
            (cfg!(all(feature = "sink", feature = "kafka")), "sink kafka"),
            (cfg!(feature = "sink"), "sink parquet"),
        ];
        let expected: Vec<&str> = expected.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        assert_eq!(names, expected);
    }
}
