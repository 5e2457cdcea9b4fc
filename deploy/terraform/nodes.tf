locals {
  # The tenth address of each subnet: AWS keeps the first four. It stays the same when an instance is replaced, and so does the list that
  # nodes find each other by.
  addresses = { for zone, settings in var.zones : zone => cidrhost(settings.cidr, 10) }
}

resource "aws_instance" "node" {
  for_each = var.zones

  ami                    = var.ami_id
  instance_type          = var.instance_type
  subnet_id              = aws_subnet.zone[each.key].id
  private_ip             = local.addresses[each.key]
  vpc_security_group_ids = [aws_security_group.node.id]
  iam_instance_profile   = aws_iam_instance_profile.node.name

  user_data = templatefile("${path.module}/cloud-init.yaml.tftpl", {
    name        = var.name
    zone        = each.key
    address     = local.addresses[each.key]
    nodes       = [for zone in sort(keys(var.zones)) : local.addresses[zone]]
    cache_bytes = var.cache_bytes
    region      = data.aws_region.this.region
    release     = var.release
    volume      = replace(aws_ebs_volume.data[each.key].id, "-", "")
  })
  # A change here would replace all nodes at once. They are replaced one after the other, by a person: docs/operations.md.
  lifecycle {
    ignore_changes = [ami, user_data]
  }

  metadata_options {
    http_tokens = "required"
    # What runs on the machine may ask; what it forwards to may not.
    http_put_response_hop_limit = 1
  }

  root_block_device {
    encrypted = true
  }

  tags = { Name = "${var.name}-${each.key}" }
}

# Apart from the instance, so that an instance can be replaced and the data stays.
resource "aws_ebs_volume" "data" {
  for_each = var.zones

  availability_zone = each.key
  size              = var.data_gigabytes
  type              = "gp3"
  encrypted         = true
  tags              = { Name = "${var.name}-${each.key}-data" }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_volume_attachment" "data" {
  for_each = var.zones

  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.data[each.key].id
  instance_id = aws_instance.node[each.key].id
  # A node that is stopped first hands leadership over.
  stop_instance_before_detaching = true
}
