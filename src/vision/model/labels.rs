//! Names of classes: well-known sets, and lists in files.

use std::path::Path;
use std::sync::Arc;

use super::ModelError;
use super::manifest::Labels;

/// The 80 classes of COCO that detectors are trained on, in their order.
const COCO80: &str = "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,\
parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,\
frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,\
wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,\
potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,\
refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush";

/// The 20 classes of PASCAL VOC, in the order of their names.
const VOC20: &str = "aeroplane,bicycle,bird,boat,bottle,bus,car,cat,chair,cow,diningtable,dog,horse,motorbike,person,\
pottedplant,sheep,sofa,train,tvmonitor";

const SETS: &[(&str, &str)] = &[("coco80", COCO80), ("voc20", VOC20)];

/// The names of the sets, for messages.
pub(super) fn names() -> String {
    SETS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// The labels in full. Files lie beside the manifest, which is at `manifest`.
pub(super) fn read(labels: &Labels, manifest: &Path) -> Result<Vec<Arc<str>>, ModelError> {
    let name = match labels {
        Labels::List(list) => return Ok(list.iter().map(|l| Arc::from(l.as_str())).collect()),
        Labels::Named(name) => name,
    };
    if let Some((_, set)) = SETS.iter().find(|(n, _)| n == name) {
        return Ok(set.split(',').map(Arc::from).collect());
    }
    let wrong = |what| ModelError::Manifest { path: manifest.to_owned(), what };
    let path = manifest.parent().unwrap_or(Path::new("")).join(name);
    let text = std::fs::read_to_string(&path)
        .map_err(|e| wrong(format!("labels: there is no set `{name}` ({}), and {}: {e}", names(), path.display())))?;
    let list: Vec<Arc<str>> = text.lines().map(str::trim_end).filter(|l| !l.is_empty()).map(Arc::from).collect();
    if list.is_empty() {
        return Err(wrong(format!("labels: {} is empty", path.display())));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_have_as_many_names_as_they_say() {
        let read = |name: &str| read(&Labels::Named(name.into()), Path::new("x.toml")).unwrap();
        let coco = read("coco80");
        assert_eq!((coco.len(), &*coco[0], &*coco[2], &*coco[79]), (80, "person", "car", "toothbrush"));
        assert_eq!(read("voc20").len(), 20);
        let message = super::read(&Labels::Named("coco81".into()), Path::new("x.toml")).unwrap_err().to_string();
        assert!(message.contains("x.toml") && message.contains("coco81") && message.contains("coco80"), "{message}");
    }
}
